// A client as a mobile or web team would write it, against types generated from the contract.
// It is compiled by `make contract`, never run: a field renamed or a status undocumented stops the build here.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/openapi.js";
import type { paths as IntegrationPaths } from "./generated/integration.js";
import type { paths as MobilePaths } from "./generated/mobile.js";

type Member = components["schemas"]["MemberRead"];
type MemberUpdate = components["schemas"]["MemberUpdate"];
type Problem = components["schemas"]["ProblemBody"];

// A client made for a subset works against the whole API.
type MissingFromWhole<Part> = Exclude<keyof Part, keyof paths>;
export const subsetsAreSubsets: [MissingFromWhole<MobilePaths>, MissingFromWhole<IntegrationPaths>] extends [never, never]
  ? true
  : false = true;

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Texts are for people and follow Accept-Language; programs look at `code`. */
export function whatToDo(problem: Problem): "sign in again" | "reload" | "ask for a right" | "show the fields" | "show" {
  switch (problem.code) {
    case "stale_revision":
      return "reload";
    case "forbidden":
      return "ask for a right";
    case "validation_failed":
      return "show the fields";
    default:
      return problem.status === 401 ? "sign in again" : "show";
  }
}

export async function signIn(baseUrl: string, username: string, password: string) {
  const api = createClient<paths>({ baseUrl, headers: { "Accept-Language": "vi" } });
  const { data: token, error } = await api.POST("/v1/auth/token", {
    body: { grant_type: "password", username, password },
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  if (error) throw new ProblemError(error);
  const authorization = `Bearer ${token.access_token}`;
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", authorization);
      return request;
    },
  });
  return api;
}

type Api = Awaited<ReturnType<typeof signIn>>;

export async function whoAmI(api: Api): Promise<string> {
  const { data: me, error } = await api.GET("/v1/me");
  if (error) throw new ProblemError(error);
  return me.username;
}

export async function branchNames(api: Api): Promise<Map<number, string>> {
  const { data, error } = await api.GET("/v1/units", { params: { query: { level: ["branch"], limit: 200 } } });
  if (error) throw new ProblemError(error);
  return new Map(data.items.map((unit) => [unit.id, unit.name]));
}

export async function* members(api: Api): AsyncGenerator<Member> {
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = cursor === null ? { limit: 200 } : { limit: 200, cursor };
    const page = await api.GET("/v1/members", { params: { query } });
    if (page.error) throw new ProblemError(page.error);
    yield* page.data.items;
    cursor = page.data.next_cursor;
  } while (cursor !== null);
}

/** Changes one member, but never over somebody else's change: 412 says that hers came first. */
export async function change(api: Api, member_id: string, changes: MemberUpdate): Promise<Member> {
  const before = await api.GET("/v1/members/{member_id}", { params: { path: { member_id } } });
  if (before.error) throw new ProblemError(before.error);
  const etag = before.response.headers.get("ETag") ?? "*";
  const after = await api.PATCH("/v1/members/{member_id}", {
    params: { path: { member_id }, header: { "If-Match": etag } },
    body: changes,
  });
  if (after.error) throw new ProblemError(after.error);
  return after.data;
}
