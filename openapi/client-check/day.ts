// A branch head's day on her phone, against a running server: `node day.js ADDRESS USERNAME PASSWORD
// PICTURE`, the picture as a data URL.
// Types come from mobile.json; each step fails loudly if the server answers otherwise than the contract says.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/mobile.js";

type Capture = components["schemas"]["CaptureItem"];
type Member = components["schemas"]["MemberRead"];
type Operation = components["schemas"]["OperationItem"];
type Page = components["schemas"]["SyncPage"];

declare const process: { argv: string[] };

const [baseUrl = "", username = "", password = "", picture = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl, headers: { "Accept-Language": "vi", "Accept-Encoding": "gzip" } });

/** What the server answered, or the problem it names. */
function good<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data {
  if (answer.error !== undefined || answer.data === undefined) {
    throw new Error(`${answer.response.status} ${answer.response.url} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** UUIDv7 (RFC 9562, 5.7): made where the record is made, so that it may be sent again. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(Date.now()) << 16n) | 0x7000n | BigInt((bytes[6]! << 8 | bytes[7]!) & 0xfff));
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();

async function signIn(): Promise<string> {
  const token = good(
    await api.POST("/v1/auth/token", {
      body: { grant_type: "password", username, password, device: "Máy của chị Lan" },
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      bodySerializer: (form) => new URLSearchParams(form as Record<string, string>),
    }),
  );
  check(token.refresh_token !== null, "a phone gets a refresh token");
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token.access_token}`);
      return request;
    },
  });
  return token.refresh_token;
}

async function branchMembers(): Promise<Member[]> {
  const members: Member[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = cursor === null ? { limit: 50 } : { limit: 50, cursor };
    const page: components["schemas"]["MemberPage"] = good(await api.GET("/v1/members", { params: { query } }));
    members.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return members;
}

/** She admits a woman at the door; the answer is lost, and the phone sends it again. */
async function admit(): Promise<Member> {
  const body = { id: newId(), full_name: "Đặng Thị Hà", birth_date: "1968", joined_on: null };
  const first = await api.POST("/v1/members", { body });
  const again = await api.POST("/v1/members", { body });
  check(first.response.status === 201 && again.response.status === 200, "sent twice she is admitted once");
  return good(again);
}

/** Two phones correct one record: the second is told, and loses nothing. */
async function correct(member: Member): Promise<void> {
  const path = { member_id: member.id };
  const seen = await api.GET("/v1/members/{member_id}", { params: { path } });
  good(seen);
  const header = { "If-Match": seen.response.headers.get("ETag") ?? "" };
  good(await api.PATCH("/v1/members/{member_id}", { params: { path, header }, body: { phone: "0912 345 678" } }));
  const late = await api.PATCH("/v1/members/{member_id}", { params: { path, header }, body: { phone: "0987 654 321" } });
  check(late.response.status === 412 && late.error?.code === "stale_revision", "the second is refused");
  const now = good(await api.GET("/v1/members/{member_id}", { params: { path } }));
  check(now.phone === "+84912345678", "the first correction stands");
}

/** A meeting held without a network: what was noted is sent at once, and once more for a lost answer. */
async function meet(members: Member[]): Promise<void> {
  const event = good(
    await api.POST("/v1/events", {
      body: {
        id: newId(),
        title: "Sinh hoạt chi hội",
        kind: "meeting",
        is_public: false,
        documents: [],
        sessions: [{ id: newId(), starts_at: inMinutes(1), ends_at: inMinutes(90) }],
      },
    }),
  );
  good(await api.POST("/v1/events/{event_id}/announce", { params: { path: { event_id: event.id } } }));
  const sessions = good(await api.GET("/v1/events/{event_id}/sessions", { params: { path: { event_id: event.id } } }));
  const session_id = sessions.items[0]?.id;
  check(session_id !== undefined, "the event has its session");
  const params = { path: { session_id } };
  good(await api.POST("/v1/sessions/{session_id}/hold", { params }));
  const items = members.map(
    (member): Capture => ({ id: newId(), kind: "roster", member_id: member.id, occurred_at: inMinutes(0), is_guest: false }),
  );
  const send = async () => good(await api.POST("/v1/sessions/{session_id}/captures", { params, body: { items } })).items;
  const [answers, again] = [await send(), await send()];
  check(answers.length === items.length && answers.every((item) => item.verdict === "stored"), "each is stored");
  check(JSON.stringify(again) === JSON.stringify(answers), "the same again gets the same answers");
  const attended = good(await api.GET("/v1/sessions/{session_id}/attendance", { params }));
  check(attended.distinct_people === items.length, "each is counted once");
}

/** What her phone keeps: rows by kind and id, and the cursor it has come to. */
class Copy {
  private readonly rows = new Map<string, unknown>();
  private cursor: string | undefined;

  get size(): number {
    return this.rows.size;
  }

  has(kind: string, id: string): boolean {
    return this.rows.has(`${kind} ${id}`);
  }

  async pull(): Promise<void> {
    let page: Page;
    do {
      const query = this.cursor === undefined ? {} : { cursor: this.cursor };
      page = good(await api.GET("/v1/sync/changes", { params: { query } }));
      for (const item of page.items) {
        if (item.row === null) this.rows.delete(`${item.kind} ${item.id}`);
        else this.rows.set(`${item.kind} ${item.id}`, item.row);
      }
      this.cursor = page.cursor;
    } while (!page.checkpoint);
  }
}

/** Written without a network, sent when it is back, and sent again because the answer was lost. */
async function synchronise(copy: Copy): Promise<void> {
  const id = newId();
  const admitted = newId();
  const items: Operation[] = [
    {
      op_id: admitted,
      kind: "member.create",
      id,
      base_rev: null,
      depends_on: [],
      patch: { full_name: "Hà Thị Mơ", birth_date: "1971", joined_on: null },
      occurred_at: inMinutes(-180),
    },
    {
      op_id: newId(),
      kind: "member.update",
      id,
      base_rev: null,
      depends_on: [admitted],
      patch: { occupation: "Nông dân" },
      occurred_at: inMinutes(-170),
    },
    {
      op_id: newId(),
      kind: "member.update",
      id: newId(),
      base_rev: 1,
      depends_on: [],
      patch: { occupation: "Thợ may" },
      occurred_at: inMinutes(-160),
    },
  ];
  const push = async () => good(await api.POST("/v1/sync/operations", { body: { items, sent_at: inMinutes(0) } })).items;
  const verdicts = async () => (await push()).map((item) => item.verdict).join(" ");
  check((await verdicts()) === "applied applied refused", "what can be done is done, the rest is refused");
  check((await verdicts()) === "duplicate duplicate refused", "nothing is done twice");
  await copy.pull();
  check(copy.has("member", id), "the woman admitted offline comes with the next pull");
}

/** Her photo, in two pieces with a break between them (tus 1.0). */
async function photograph(member: Member): Promise<void> {
  const bytes = new Uint8Array(await (await fetch(picture)).arrayBuffer());
  const header = {
    "Tus-Resumable": "1.0.0",
    "Upload-Length": bytes.length,
    "Upload-Metadata": `kind ${btoa("picture")}`,
  };
  const made = await api.POST("/v1/files", { params: { header } });
  check(made.response.status === 201, "the upload is announced");
  const file_id = made.response.headers.get("Location")?.split("/").at(-1) ?? "";
  const half = bytes.length >> 1;
  for (const [from, to] of [[0, half], [half, bytes.length]] as const) {
    const sent = await api.PATCH("/v1/files/{file_id}", {
      params: { path: { file_id }, header: { "Tus-Resumable": "1.0.0", "Upload-Offset": from } },
      headers: { "Content-Type": "application/offset+octet-stream" },
      body: bytes.slice(from, to) as unknown as string,
      bodySerializer: (body) => body,
    });
    check(sent.response.headers.get("Upload-Offset") === String(to), `the server has ${to} bytes`);
  }
  const path = { member_id: member.id };
  good(await api.PATCH("/v1/members/{member_id}", { params: { path }, body: { photo: `files/${file_id}` } }));
  const photo = await api.GET("/v1/members/{member_id}/photo", { params: { path, query: { size: "thumbnail" } }, parseAs: "blob" });
  check(good(photo) instanceof Blob && photo.response.headers.get("Content-Type") === "image/jpeg", "it is a JPEG");
}

const refresh_token = await signIn();
const me = good(await api.GET("/v1/me"));
check(me.username === username, "it is she");
const plan = good(await api.GET("/v1/sync/plan"));
const copy = new Copy();
await copy.pull();
check(copy.size === plan.rows, "the phone has what the plan said");
const members = await branchMembers();
check(members.every((member) => copy.has("member", member.id)), "her members are on the phone");
check(members.length > 0, "her branch has members");
const woman = await admit();
await correct(woman);
await meet(members);
await synchronise(copy);
check(copy.has("member", woman.id), "so does who was admitted online");
await photograph(woman);
good(await api.GET("/v1/me/notifications"));
good(await api.GET("/v1/me/work"));
const body = { token: refresh_token };
await api.POST("/v1/auth/revoke", {
  body,
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
  bodySerializer: (form) => new URLSearchParams(form as Record<string, string>),
  parseAs: "stream",
});
const after = await api.GET("/v1/me");
check(after.response.status === 401, "signed out is signed out");
console.log(`${members.length + 2} members, one meeting, one photo`);
