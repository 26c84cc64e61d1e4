import { describe, expect, it } from "vitest";
import { generate } from "../../scripts/api.mjs";
import document from "./openapi.json?raw";
import schema from "./schema.gen.ts?raw";

describe("the types of the API", () => {
  it("are what the document says; run `npm run api` after a change of the server", () => {
    expect(schema).toBe(generate(JSON.parse(document)));
  });
  it("follow the document: the control", () => {
    const changed = JSON.parse(document);
    changed.components.schemas.Login.properties.extra = { type: "string" };
    expect(generate(changed)).not.toBe(schema);
  });
});
