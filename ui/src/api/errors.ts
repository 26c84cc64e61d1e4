// What can come back instead of an answer, as one closed union. Pages act on `kind` and `code` and never read prose.
import { en } from "../i18n/en";

export type Code = keyof typeof en.codes;

export interface FieldProblem {
  field: string;
  message: string;
}

export type Failure =
  | {
      kind: "refused";
      status: number;
      code: Code | "unknown";
      detail: string;
      requestId: string | null;
      retryAfterMs: number | null;
      fields: FieldProblem[];
    }
  | { kind: "unreachable" }
  | { kind: "garbled"; status: number }
  | { kind: "aborted" };

export class ApiError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(sentence(failure));
    this.name = "ApiError";
    this.failure = failure;
  }
}

export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) return error.failure;
  if (error instanceof DOMException && error.name === "AbortError") return { kind: "aborted" };
  return { kind: "garbled", status: 0 };
}

/** The code of a refusal, or null when it was something else. */
export function codeOf(error: unknown): Code | "unknown" | null {
  const failure = failureOf(error);
  return failure.kind === "refused" ? failure.code : null;
}

export function sayFailure(error: unknown): string {
  return sentence(failureOf(error));
}

/** What is said of it. */
export function sentence(failure: Failure): string {
  switch (failure.kind) {
    case "refused":
      // The house knows more than the catalogue ("Ana's film ends in 12 minutes"), so its sentence goes first.
      return failure.detail || (failure.code === "unknown" ? en.failures.unknown : en.codes[failure.code]);
    case "unreachable":
      return en.failures.unreachable;
    case "garbled":
      return en.failures.garbled;
    case "aborted":
      return en.failures.aborted;
  }
}

export function parseProblem(status: number, body: unknown, retryAfterHeader: string | null): Failure {
  if (typeof body !== "object" || body === null || !("code" in body)) return { kind: "garbled", status };
  const problem = body as Record<string, unknown>;
  const code = typeof problem.code === "string" && Object.keys(en.codes).includes(problem.code) ? (problem.code as Code) : "unknown";
  const seconds = Number(retryAfterHeader);
  const fields = Array.isArray(problem.fields) ? problem.fields.filter(isField) : [];
  return {
    kind: "refused",
    status,
    code,
    detail: typeof problem.detail === "string" ? problem.detail : "",
    requestId: typeof problem.request_id === "string" ? problem.request_id : null,
    retryAfterMs: typeof problem.retry_after_ms === "number" ? problem.retry_after_ms : retryAfterHeader && Number.isFinite(seconds) ? seconds * 1000 : null,
    fields,
  };
}

function isField(value: unknown): value is FieldProblem {
  if (typeof value !== "object" || value === null) return false;
  const field = value as Record<string, unknown>;
  return typeof field.field === "string" && typeof field.message === "string";
}

/** All sentences that belong beside fields, by field name. Empty when the refusal is about the whole. */
export function fieldErrors(error: unknown): Record<string, string> {
  const failure = failureOf(error);
  return failure.kind === "refused" ? Object.fromEntries(failure.fields.map((f) => [f.field, f.message])) : {};
}
