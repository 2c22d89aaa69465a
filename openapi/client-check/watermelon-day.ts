// A branch head's day on a phone that keeps its records in WatermelonDB, against a running server:
// `node watermelon-day.js ADDRESS HEAD OFFICER PASSWORD`.
import { Database, Model } from "@nozbe/watermelondb";
import lokijs from "@nozbe/watermelondb/adapters/lokijs/index.js";
import { setGenerator } from "@nozbe/watermelondb/utils/common/randomId/index.js";
import { giveUp, schemaOf, sync, WRITTEN_AT, type Page, type Plan, type Row, type Server, type Verdict } from "./watermelon.js";

declare const process: { argv: string[] };

const [base = "", headName = "", officerName = "", password = ""] = process.argv.slice(2);

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** UUIDv7 (RFC 9562, 5.7): the id that WatermelonDB gives a row is the id of the record. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(Date.now()) << 16n) | 0x7000n | BigInt(((bytes[6]! << 8) | bytes[7]!) & 0xfff));
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
setGenerator(newId);

class Api {
  private constructor(private readonly token: string) {}

  static async signedIn(username: string): Promise<Api> {
    const body = new URLSearchParams({ grant_type: "password", username, password });
    const answer = await fetch(`${base}/v1/auth/token`, { method: "POST", body });
    check(answer.ok, `${username} signs in`);
    return new Api(((await answer.json()) as { access_token: string }).access_token);
  }

  async call<Answer = Row>(path: string, body?: object, method = body === undefined ? "GET" : "POST"): Promise<Answer> {
    const answer = await this.fetch(path, body, method);
    check(answer.ok, `${method} ${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
    return (await answer.json()) as Answer;
  }

  fetch(path: string, body?: object, method = body === undefined ? "GET" : "POST"): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json", "Accept-Language": "vi" };
    return fetch(base + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }
}

/** The server as the phone reaches it: `lost` answers to what it sends never arrive. */
class Network implements Server {
  lost = 0;

  constructor(private readonly api: Api) {}

  async changes(query: Record<string, string>): Promise<Page | null> {
    const answer = await this.api.fetch(`/v1/sync/changes?${new URLSearchParams(query)}`);
    if (answer.status === 409) return null;
    check(answer.ok, `a page: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
    return (await answer.json()) as Page;
  }

  async push(body: object): Promise<{ items: Verdict[] }> {
    const answer = await this.api.call<{ items: Verdict[] }>("/v1/sync/operations", body);
    if (this.lost-- > 0) throw new Error("no network");
    return answer;
  }
}

/** What she writes bears the time of her clock. */
async function write(database: Database, table: string, values: Record<string, unknown>, record?: Model): Promise<Model> {
  const put = (row: Model) =>
    Object.entries({ ...values, [WRITTEN_AT]: Date.now() }).forEach(([name, value]) => row._setRaw(name, value));
  return database.write(() => (record === undefined ? database.get(table).create(put) : record.update(put)));
}

function phone(plan: Plan): Database {
  const schema = schemaOf(plan, 1);
  const modelClasses = Object.keys(schema.tables).map(
    (table) =>
      class extends Model {
        static override table = table;
      },
  );
  const options = { schema, useWebWorker: false, useIncrementalIndexedDB: false, extraLokiOptions: { env: "NODEJS", autosave: false } };
  return new Database({ adapter: new lokijs.default(options), modelClasses });
}

async function rows(database: Database, table: string): Promise<Map<string, Row>> {
  const found = await database.get(table).query().fetch();
  return new Map(found.map(({ _raw }) => [_raw.id, _raw]));
}

const of = (verdicts: Verdict[]) => verdicts.map(({ verdict }) => verdict).sort().join(" ");
const raw = (record: Model, column: string) => record._raw[column];

const complaints: string[] = [];
console.error = (...said: unknown[]) => complaints.push(said.join(" "));

const [head, officer] = [await Api.signedIn(headName), await Api.signedIn(officerName)];
const plan = await head.call<Plan>("/v1/sync/plan");
const network = new Network(head);
const database = phone(plan);

check(of(await sync(database, network)) === "", "there is nothing to send");
for (const { kind, rows: planned } of plan.kinds) {
  check((await rows(database, kind)).size === planned, `she has ${planned} rows of ${kind}`);
}
const members = await database.get("member").query().fetch();
check(members.length > 4, "her branch has members");
const [corrected, merged, disputed, moving] = members as [Model, Model, Model, Model, Model];

// A meeting is being held; then the network goes.
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
const session = newId();
const event = await head.call("/v1/events", {
  id: newId(),
  title: "Sinh hoạt chi hội",
  kind: "meeting",
  is_public: false,
  sessions: [{ id: session, starts_at: inMinutes(1), ends_at: inMinutes(90) }],
});
await head.call(`/v1/events/${event.id}/announce`, {}, "POST");
await head.call(`/v1/sessions/${session}/hold`, {}, "POST");

const admitted = await write(database, "member", { full_name: "Hà Thị Mơ", birth_date: "1971" });
await write(database, "member", { address: "Khu 2, nhà mới" }, corrected);
await write(database, "member", { occupation: "Thợ may" }, merged);
await write(database, "member", { address: "Khu 3, chị Lan ghi" }, disputed);
for (const { id } of [corrected, admitted]) {
  await write(database, "capture", { session_id: session, kind: "roster", member_id: id });
}

// Meanwhile an officer corrects two of them, and one woman moves to another branch.
await officer.call(`/v1/members/${merged.id}`, { phone: "0912 345 678" }, "PATCH");
await officer.call(`/v1/members/${disputed.id}`, { address: "Khu 3, theo giấy tờ" }, "PATCH");
const branches = await officer.call<{ items: Row[] }>("/v1/branches?limit=50");
const own = raw(moving, "branch_id");
const other = branches.items.find(({ id }) => String(id) !== own);
check(other !== undefined, "there is another branch");
await officer.call(`/v1/members/${moving.id}/transfers`, { to_branch_id: other.id, reason: "Chuyển nhà" });

// The answer is lost, and she writes on.
network.lost = 1;
const failed = await sync(database, network).then(() => "", String);
check(failed.includes("no network"), "the answer was lost");
await write(database, "member", { occupation: "Nông dân" }, admitted);
const verdicts = await sync(database, network);
check(of(verdicts) === "applied conflict duplicate duplicate duplicate duplicate duplicate", `nothing twice: ${of(verdicts)}`);

const admittedNow = await head.call(`/v1/members/${admitted.id}`);
check(admittedNow["occupation"] === "Nông dân", "the woman admitted offline is there once, as she wrote it last");
check(raw(admitted, "_status") === "synced" && raw(admitted, "revision") === admittedNow["revision"], "and her phone knows");
check(raw(merged, "phone") === "+84912345678" && raw(merged, "occupation") === "Thợ may", "different fields are merged");
check(!(await rows(database, "member")).has(moving.id), "who has moved is gone");
for (const table of ["participation", "rsvp"]) {
  const hers = [...(await rows(database, table)).values()].filter((row) => row["member_id"] === moving.id);
  check(hers.length === 0, `and her rows of ${table}`);
}
const attended = await head.call(`/v1/sessions/${session}/attendance`);
check(attended["distinct_people"] === 2, "each is counted once");

// Both wrote one field: the officer's stands, hers is on the phone until it is decided.
check(raw(disputed, "address") === "Khu 3, chị Lan ghi" && raw(disputed, "_status") === "updated", "hers is not lost");
check(of(await sync(database, network)) === "conflict", "sent again it is the same");
const [waiting, ...more] = (await officer.call<{ items: Row[] }>("/v1/sync/inbox")).items.filter(
  (each) => each["entity_id"] === disputed.id,
);
check(waiting !== undefined && more.length === 0, "it waits once");
await officer.call(`/v1/sync/inbox/${waiting.id}/decline`, { reason: "Theo giấy tờ" });
check(of(await sync(database, network)) === "refused", "she is told");
await giveUp(database, "member", disputed.id);
check(of(await sync(database, network)) === "", "there is nothing more to send");

// The phone is told to start over: what she has not sent is sent first.
const late = await write(database, "member", { full_name: "Hà Thị Muộn", birth_date: "1980-02" });
await database.localStorage.set("hoiso_cursor", "of another server");
check(of(await sync(database, network)) === "applied", "it is sent");
check((await rows(database, "member")).has(late.id), "and stays");

// What no operation does is told by its table, and keeps nothing else from being sent.
const meeting = (await database.get("event").query().fetch())[0];
const unit = (await database.get("unit").query().fetch())[0];
const capture = (await database.get("capture").query().fetch())[0];
check(meeting !== undefined && unit !== undefined && capture !== undefined, "there is one of each");
const meetingId = meeting.id;
await database.write(() => meeting.markAsDeleted());
await write(database, "unit", { name: "Chi hội khác" }, unit);
await write(database, "capture", { kind: "paper" }, capture);
const unitMade = await write(database, "unit", { name: "Chi hội mới" });
await write(database, "member", { address: "Khu 5" }, late);
const told = await sync(database, network);
const undone = told.filter(({ problem }) => problem?.code === "no_operation").map(({ kind, id }) => `${kind} ${id}`);
check(
  [...undone].sort().join() ===
    [`event.delete ${meetingId}`, `unit.update ${unit.id}`, `capture.update ${capture.id}`, `unit.create ${unitMade.id}`].sort().join(),
  `each of them is refused: ${undone.join()}`,
);
check(of(told) === "applied refused refused refused refused", `the rest is done: ${of(told)}`);
check(of(await sync(database, network)) === "refused refused refused refused", "they are refused until she gives up");
check(!(await rows(database, "event")).has(meetingId), "what she deleted is hidden");
await giveUp(database, "event", meetingId);
await giveUp(database, "unit", unit.id);
await giveUp(database, "unit", unitMade.id);
await giveUp(database, "capture", capture.id);
check(of(await sync(database, network)) === "", "there is nothing more to send");
check((await rows(database, "event")).has(meetingId), "the meeting is there again");

// A phone that begins now has the same.
const fresh = phone(plan);
await sync(fresh, network);
for (const { kind } of plan.kinds) {
  const [mine, theirs] = [await rows(database, kind), await rows(fresh, kind)];
  check(mine.size === theirs.size, `as many of ${kind}`);
  for (const [id, row] of theirs) {
    const same = { ...mine.get(id), [WRITTEN_AT]: null, _changed: "", _status: "synced" };
    const names = Object.keys(row).filter((name) => row[name] !== (same as Row)[name]);
    check(names.length === 0, `${kind} ${id}: ${names.join(", ")} as on the server`);
  }
}
const address = (await rows(database, "member")).get(disputed.id)?.["address"];
check(address === "Khu 3, theo giấy tờ", "she has the officer's address");
check(complaints.length === 0, `WatermelonDB has nothing to complain of: ${complaints.join("\n")}`);
console.log(`${members.length} members, ${plan.kinds.length} tables, nothing lost`);
