// What is used here of WatermelonDB 0.28: its own declarations do not compile in a strict program.
declare module "@nozbe/watermelondb" {
  export type RawRecord = { id: string; _status: "synced" | "created" | "updated" | "deleted"; _changed: string; [column: string]: unknown };
  export type ColumnSchema = { name: string; type: "string" | "number" | "boolean"; isOptional: boolean };
  export type TableSchema = { name: string; columns: ColumnSchema[] };
  export type AppSchema = { tables: Record<string, TableSchema> };
  export function appSchema(schema: { version: number; tables: TableSchema[] }): AppSchema;
  export function tableSchema(schema: TableSchema): TableSchema;
  export class Model {
    static table: string;
    readonly id: string;
    readonly _raw: RawRecord;
    _setRaw(column: string, value: unknown): void;
    update(change: (record: Model) => void): Promise<Model>;
    markAsDeleted(): Promise<void>;
    destroyPermanently(): Promise<void>;
  }
  export type Collection = {
    create(fill: (record: Model) => void): Promise<Model>;
    find(id: string): Promise<Model>;
    query(): { fetch(): Promise<Model[]> };
  };
  export class Database {
    constructor(parts: { adapter: unknown; modelClasses: (typeof Model)[] });
    readonly schema: AppSchema;
    readonly adapter: {
      getDeletedRecords(table: string): Promise<string[]>;
      destroyDeletedRecords(table: string, ids: string[]): Promise<void>;
    };
    readonly localStorage: {
      get<Value>(key: string): Promise<Value | undefined>;
      set(key: string, value: unknown): Promise<void>;
      remove(key: string): Promise<void>;
    };
    get(table: string): Collection;
    write<Result>(work: () => Promise<Result>): Promise<Result>;
  }
}

declare module "@nozbe/watermelondb/sync/index.js" {
  import type { Database, RawRecord } from "@nozbe/watermelondb";
  type Row = { id: string; [column: string]: unknown };
  export type TableChanges<Kept extends Row = Row> = { created: Kept[]; updated: Kept[]; deleted: string[] };
  export function synchronize(how: {
    database: Database;
    sendCreatedAsUpdated?: boolean;
    pullChanges(since: { lastPulledAt: number | null }): Promise<{
      changes: Record<string, TableChanges>;
      timestamp: number;
      experimentalStrategy?: "incremental" | "replacement";
    }>;
    pushChanges?(made: { changes: Record<string, TableChanges<RawRecord>> }): Promise<{ experimentalRejectedIds: Record<string, string[]> }>;
    conflictResolver?(table: string, local: RawRecord, remote: Row, resolved: RawRecord): RawRecord;
  }): Promise<void>;
}

declare module "@nozbe/watermelondb/adapters/lokijs/index.js" {
  import type { AppSchema } from "@nozbe/watermelondb";
  const lokijs: {
    default: new (options: { schema: AppSchema; useWebWorker: boolean; useIncrementalIndexedDB: boolean; extraLokiOptions: object }) => unknown;
  };
  export default lokijs;
}

declare module "@nozbe/watermelondb/utils/common/randomId/index.js" {
  export function setGenerator(make: () => string): void;
}
