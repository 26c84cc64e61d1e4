// A reporter for Node's test runner that names the tests that were skipped, one a line.
export default async function* skips(source) {
  for await (const { type, data } of source) {
    if (type === "test:pass" && data.skip !== undefined) yield `${data.name}${typeof data.skip === "string" && data.skip ? ` (${data.skip})` : ""}\n`;
  }
}
