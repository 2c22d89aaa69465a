/* A follower written from the integrators' guide alone, for Node without a package: BASE TOKEN FILE.

   It reads the stream of events, and stores rows and place in FILE at each `place`. When there has been
   nothing new for a while, it ends. With a fourth argument it dies after so many events. */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";

type State = Record<string, unknown>;
type Row = { entity: string; entity_id: string; revision: number; state: State };
type Data = Omit<Row, "state"> & {
  state: State | null;
  drops: { entity: string; field: string }[];
  brings: Row[];
  sets: { field: string; value: number; units: Record<string, number | null> } | null;
  export_again: boolean;
};
type Place = { seq: number; epoch: string; scope: string; more: boolean };
type Copy = { seq: number; epoch: string; scope: string; rows: Record<string, Row> };

const [base, token, file, deaths] = process.argv.slice(2) as [string, string, string, string?];
let left = deaths === undefined ? -1 : Number(deaths);
const kinds = [
  "unit", "member", "membership", "participation", "appointment", "training", "household",
  "household_person", "assessment", "poverty_status", "support", "household_visit", "loan_figure",
  "event", "event_session", "rsvp", "attendance",
];
const QUIET = 1500;

function ask(path: string, accept: string, signal?: AbortSignal): Promise<Response> {
  return fetch(base + path, {
    headers: { authorization: `Bearer ${token}`, accept },
    ...(signal === undefined ? {} : { signal }),
  });
}

function keep(rows: Copy["rows"], { entity, entity_id, revision, state }: Row): void {
  const key = `${entity} ${entity_id}`;
  const held = rows[key];
  if (held === undefined || held.revision <= revision) {
    rows[key] = { entity, entity_id, revision, state };
  }
}

function apply(rows: Copy["rows"], data: Data): void {
  if (data.state === null) {
    delete rows[`${data.entity} ${data.entity_id}`];
  } else {
    keep(rows, { ...data, state: data.state });
  }
  for (const { entity, field } of data.drops) {
    for (const [key, row] of Object.entries(rows)) {
      if (row.entity === entity && row.state[field] === data.entity_id) delete rows[key];
    }
  }
  for (const row of data.brings) keep(rows, row);
  if (data.sets !== null) {
    const { field, value, units } = data.sets;
    for (const { entity, state } of Object.values(rows)) {
      if (entity === "unit" || state[field] !== value) continue;
      for (const [name, unit] of Object.entries(units)) if (name in state) state[name] = unit;
    }
  }
}

async function begin(): Promise<Copy> {
  let place: Omit<Copy, "rows"> | undefined;
  const rows: Copy["rows"] = {};
  for (const kind of kinds) {
    let after: string | null = "";
    while (after !== null) {
      const from: string = after === "" ? "" : `&after=${after}`;
      const answer = await ask(`/v1/feed/rows?kind=${kind}${from}`, "application/json");
      if (answer.status === 403) break;
      if (!answer.ok) throw new Error(await answer.text());
      const found = (await answer.json()) as Place & { items: Row[]; next: string | null };
      place ??= { seq: found.seq, epoch: found.epoch, scope: found.scope };
      for (const row of found.items) keep(rows, row);
      after = found.next;
    }
  }
  if (place === undefined) throw new Error("nothing may be read");
  return { ...place, rows };
}

function store(copy: Copy): void {
  writeFileSync(`${file}.new`, JSON.stringify(copy));
  renameSync(`${file}.new`, file);
}

async function* messages(answer: Response): AsyncGenerator<{ kind: string; data: string }> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(part, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const of = (name: string): string | undefined =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = of("data");
      if (data !== undefined) yield { kind: of("event") ?? "message", data };
    }
  }
}

/** Follows until it is quiet; whether to begin again. */
async function follow(copy: Copy): Promise<boolean> {
  const quiet = new AbortController();
  const path = `/v1/feed?after=${copy.seq}&epoch=${copy.epoch}&limit=20`;
  const answer = await ask(path, "text/event-stream", quiet.signal);
  if (answer.status === 409) return true;
  if (!answer.ok) throw new Error(await answer.text());
  let timer = setTimeout(() => quiet.abort(), QUIET);
  try {
    for await (const { kind, data } of messages(answer)) {
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), QUIET);
      if (kind === "end") return (JSON.parse(data) as { reason: string }).reason === "scope";
      if (kind === "place") {
        const place = JSON.parse(data) as Place;
        if (place.scope !== copy.scope) return true;
        copy.seq = place.seq;
        copy.epoch = place.epoch;
        store(copy);
      } else if (kind === "message") {
        const event = (JSON.parse(data) as { data: Data }).data;
        if (event.export_again) return true;
        if (--left === 0) process.exit(9);
        apply(copy.rows, event);
      }
    }
  } catch (error) {
    if (!quiet.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
  return false;
}

let copy = existsSync(file) ? (JSON.parse(readFileSync(file, "utf-8")) as Copy) : await begin();
store(copy);
while (await follow(copy)) {
  copy = await begin();
  store(copy);
}
