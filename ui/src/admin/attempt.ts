// Runs an order of the owner and says in words when the house refuses it. Returns whether it went through.
import { failureOf, sayFailure } from "../api/errors";
import { toast } from "../kit/toasts.svelte";
import { platform } from "../platform/platform";

export async function attempt(order: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await order();
    if (done) toast.good(done);
    return true;
  } catch (error) {
    toast.trouble(sayFailure(error));
    return false;
  }
}

/** What the house says about single fields of a form, by field name. Empty when it said nothing of the kind. */
export function fieldErrors(error: unknown): Record<string, string> {
  const failure = failureOf(error);
  return failure.kind === "refused" ? Object.fromEntries(failure.fields.map((f) => [f.field, f.message])) : {};
}

export async function copyText(text: string, done: string): Promise<void> {
  try {
    await platform.copyText(text);
    toast.good(done);
  } catch {
    toast.trouble("This browser does not let the page copy. Select the text and copy it by hand.");
  }
}
