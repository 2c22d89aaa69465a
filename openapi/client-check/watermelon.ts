// WatermelonDB beside Hội Số: an app takes this file as it is, and writes what it writes into WRITES.
// First what was written on the phone is sent, then what is new is pulled: so the server compares what
// she saw with what others have changed, and her own rows come back with their new revision.
import { appSchema, tableSchema, type AppSchema, type Database, type RawRecord } from "@nozbe/watermelondb";
import { synchronize, type TableChanges } from "@nozbe/watermelondb/sync/index.js";

export type Row = { id: string; [column: string]: unknown };
type ColumnType = "string" | "number" | "boolean";
export type Plan = { kinds: { kind: string; rows: number; columns: Record<string, ColumnType> }[] };
export type Page = {
  changes: Record<string, { created: Row[]; updated: Row[]; deleted: string[] }>;
  timestamp: number;
  cursor: string;
  checkpoint: boolean;
};
type Operation = { op_id: string; kind: string; id: string; base_rev: number | null; patch: Row | object; occurred_at: string };
export type Verdict = { op_id: string | null; kind: string; id: string; verdict: string; problem: { code: string } | null };

/** How the phone reaches the server. `changes` answers null for 409 `start_over`. */
export type Server = {
  changes(query: { dialect: "watermelon"; max_bytes: string; cursor?: string }): Promise<Page | null>;
  push(body: { items: Operation[]; sent_at: string; cursor?: string }): Promise<{ items: Verdict[] }>;
};

/** What she may write: the operation that makes a row, the one that changes it, and the fields of each. */
type Write = { create?: string; update?: string; fields: string[]; own?: Record<string, ColumnType> };
export const WRITES: Record<string, Write> = {
  member: {
    create: "member.create",
    update: "member.update",
    fields: ["full_name", "birth_date", "joined_on", "phone", "address", "occupation"],
  },
  // No kind of rows that phones get: a table of the phone's own.
  capture: {
    create: "capture.add",
    fields: ["session_id", "kind", "member_id"],
    own: { session_id: "string", kind: "string", member_id: "string" },
  },
};

const CURSOR = "hoiso_cursor";
// Rows made here, as they were first sent: the answer may be lost, and she writes on.
const SENT = "hoiso_sent";
type Sent = Record<string, Row>;
const DONE = new Set(["applied", "merged", "duplicate"]);
// When it was written, by the phone's clock: set at each write, so that what is sent again is the same.
export const WRITTEN_AT = "written_at";

/** The tables, from the plan of the server. The version goes up when the columns are others. */
export function schemaOf(plan: Plan, version: number): AppSchema {
  const own = Object.entries(WRITES).flatMap(([kind, { own: columns }]) => (columns ? [{ kind, columns }] : []));
  return appSchema({
    version,
    tables: [...plan.kinds, ...own].map(({ kind, columns }) =>
      tableSchema({
        name: kind,
        columns: Object.entries({ ...columns, [WRITTEN_AT]: "number" as const }).map(([name, type]) => ({
          name,
          type,
          isOptional: true,
        })),
      }),
    ),
  });
}

/** Send, then pull. What is not done (conflict, held, refused) stays unsent on the phone with its verdict: sent
 * again it gets the verdict of then. What no operation does (a row that is deleted, or changed in a table whose rows
 * none changes) is refused here, with the code `no_operation` and what was tried as its `kind`; the others are sent. */
export async function sync(database: Database, server: Server): Promise<Verdict[]> {
  const verdicts = await send(database, server);
  await pull(database, server);
  return verdicts;
}

/** Take the server's row in place of what was written, or deleted, and is not done. */
export async function giveUp(database: Database, table: string, id: string): Promise<void> {
  const deleted = await database.adapter.getDeletedRecords(table);
  await database.write(async () => {
    if (deleted.includes(id)) await database.adapter.destroyDeletedRecords(table, [id]);
    else await (await database.get(table).find(id)).destroyPermanently();
  });
  await database.localStorage.remove(CURSOR);
}

async function send(database: Database, server: Server): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const sent = (await database.localStorage.get<Sent>(SENT)) ?? {};
  // By it the server knows, once it was restored, which revisions she saw.
  const cursor = (await database.localStorage.get<string>(CURSOR)) ?? undefined;
  await synchronize({
    database,
    pullChanges: async ({ lastPulledAt }) => ({ changes: {}, timestamp: lastPulledAt ?? 1 }),
    pushChanges: async ({ changes }) => {
      const { written, undoable } = await operationsOf(changes, sent);
      await database.localStorage.set(SENT, sent);
      for (let at = 0; at < written.length; at += 500) {
        const items = written.slice(at, at + 500).map(({ item }) => item);
        const body = { items, sent_at: new Date().toISOString(), ...(cursor !== undefined && { cursor }) };
        verdicts.push(...(await server.push(body)).items);
      }
      const rejected: Record<string, string[]> = {};
      for (const { table, id } of undoable) (rejected[table] ??= []).push(id);
      written.forEach(({ table, item }, at) => {
        const { verdict } = verdicts[at]!;
        if (!DONE.has(verdict)) (rejected[table] ??= []).push(item.id);
        // Refused, it was never made: what she corrects is sent as another operation.
        if (verdict === "refused" && item.kind === WRITES[table]!.create) delete sent[item.id];
      });
      const open = new Set(Object.values(rejected).flat());
      for (const id of Object.keys(sent)) if (!open.has(id)) delete sent[id];
      await database.localStorage.set(SENT, sent);
      verdicts.push(...undoable.map(refused));
      return { experimentalRejectedIds: rejected };
    },
  });
  return verdicts;
}

type Written = { table: string; item: Operation };
type Undoable = { table: string; id: string; what: "create" | "update" | "delete" };

function refused({ table, id, what }: Undoable): Verdict {
  return { op_id: null, kind: `${table}.${what}`, id, verdict: "refused", problem: { code: "no_operation" } };
}

async function operationsOf(
  changes: Record<string, TableChanges<RawRecord>>,
  sent: Sent,
): Promise<{ written: Written[]; undoable: Undoable[] }> {
  const written: Written[] = [];
  const undoable: Undoable[] = [];
  for (const [table, { created, updated, deleted }] of Object.entries(changes)) {
    const { create, update, fields }: Write = WRITES[table] ?? { fields: [] };
    undoable.push(...deleted.map((id) => ({ table, id, what: "delete" as const })));
    for (const row of created) {
      if (create === undefined) {
        undoable.push({ table, id: row.id, what: "create" });
        continue;
      }
      const first = (sent[row.id] ??= { ...row });
      written.push({ table, item: await operation(create, first, fields) });
      const changed = fields.filter((name) => row[name] !== first[name]);
      if (changed.length === 0) continue;
      if (update === undefined) undoable.push({ table, id: row.id, what: "update" });
      else written.push({ table, item: await operation(update, { ...row, revision: null }, changed) });
    }
    for (const row of updated) {
      const columns = row._changed.split(",").filter((name) => name !== WRITTEN_AT);
      const changed = update === undefined ? [] : columns.filter((name) => fields.includes(name));
      if (update !== undefined && changed.length > 0) written.push({ table, item: await operation(update, row, changed) });
      if (changed.length < columns.length) undoable.push({ table, id: row.id, what: "update" });
    }
  }
  return { written, undoable };
}

/** Its id follows from all that it says: the same row sent again is the same operation. */
async function operation(kind: string, row: Row, fields: string[]): Promise<Operation> {
  const said = {
    kind,
    id: row.id,
    base_rev: (row["revision"] as number | null | undefined) ?? null,
    patch: Object.fromEntries(fields.map((name) => [name, row[name]])),
    occurred_at: new Date(row[WRITTEN_AT] as number).toISOString(),
  };
  return { op_id: await idOf(JSON.stringify(said)), ...said };
}

/** UUIDv8 (RFC 9562, 5.8) of the SHA-256 of a text. */
async function idOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).slice(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

async function pull(database: Database, server: Server): Promise<void> {
  let cursor = (await database.localStorage.get<string>(CURSOR)) ?? null;
  await synchronize({
    database,
    sendCreatedAsUpdated: true,
    pullChanges: async () => {
      const had = cursor;
      const pages = await pagesAfter(server, had);
      const isWhole = had === null || pages === null;
      const found = pages ?? (await pagesAfter(server, null));
      if (found === null) throw new Error("no beginning");
      cursor = found.at(-1)!.cursor;
      const tables = Object.keys(database.schema.tables).filter((table) => WRITES[table]?.own === undefined);
      const changes = Object.fromEntries(tables.map((table) => [table, joined(found, table)]));
      const { timestamp } = found.at(-1)!;
      return { changes, timestamp, experimentalStrategy: isWhole ? "replacement" : "incremental" };
    },
    // What she wrote stays until it is done, upon the revision that she saw.
    conflictResolver: (table, local, _, resolved) => {
      if (local._status === "synced") return resolved;
      const hers = local._status === "created" ? (WRITES[table]?.fields ?? []) : [];
      return { ...resolved, ...Object.fromEntries(["revision", ...hers].map((name) => [name, local[name]])) };
    },
  });
  if (cursor !== null) await database.localStorage.set(CURSOR, cursor);
}

/** All pages to the checkpoint; null where the phone has to begin anew. */
async function pagesAfter(server: Server, after: string | null): Promise<Page[] | null> {
  const pages: Page[] = [];
  for (let cursor = after; ; cursor = pages.at(-1)!.cursor) {
    const page = await server.changes({ dialect: "watermelon", max_bytes: "1000000", ...(cursor !== null && { cursor }) });
    if (page === null) return null;
    pages.push(page);
    if (page.checkpoint) return pages;
  }
}

/** One table of all pages: of each row what was said last. */
function joined(pages: Page[], table: string): TableChanges {
  const rows = new Map<string, Row | null>();
  for (const { changes } of pages) {
    for (const row of changes[table]?.updated ?? []) rows.set(row.id, row);
    for (const id of changes[table]?.deleted ?? []) rows.set(id, null);
  }
  return {
    created: [],
    updated: [...rows.values()].filter((row) => row !== null),
    deleted: [...rows].flatMap(([id, row]) => (row === null ? [id] : [])),
  };
}
