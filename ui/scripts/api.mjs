// Types of the HTTP API, from the document the server writes: `npm run api` in the root brings the document up to
// date and runs this. Nobody edits src/api/schema.gen.ts by hand; a test compares it with what comes out here.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const api = new URL("../src/api/", import.meta.url);

export function generate(document) {
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const out = ["// Made by scripts/api.mjs from openapi.json.\n"];
  for (const [name, schema] of schemas) {
    out.push(note(schema.description, ""));
    if (schema.type === "object" && schema.properties) {
      out.push(`export interface ${name} {\n`);
      for (const [field, of] of Object.entries(schema.properties)) {
        const optional = schema.required?.includes(field) ? "" : "?";
        out.push(note(of.description, "  "), `  ${field}${optional}: ${type(of)};\n`);
      }
      out.push("}\n");
    } else {
      out.push(`export type ${name} = ${type(schema)};\n`);
    }
  }
  return out.join("");
}

function type(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.oneOf || schema.anyOf) return union((schema.oneOf ?? schema.anyOf).map(type));
  if (schema.allOf) return schema.allOf.map(type).join(" & ");
  if (schema.enum) return union(schema.enum.map((value) => JSON.stringify(value)));
  if (Array.isArray(schema.type)) return union(schema.type.map((one) => type({ ...schema, type: one })));
  switch (schema.type) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array": {
      const item = type(schema.items ?? {});
      return item.includes(" ") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return schema.properties ? inline(schema) : `Record<string, ${schema.additionalProperties ? type(schema.additionalProperties) : "unknown"}>`;
    default:
      return "unknown";
  }
}

function inline(schema) {
  const fields = Object.entries(schema.properties).map(([name, of]) => `${name}${schema.required?.includes(name) ? "" : "?"}: ${type(of)}`);
  return `{ ${fields.join("; ")} }`;
}

const union = (types) => [...new Set(types)].join(" | ");
const note = (text, indent) => (text ? `${indent}/** ${text.replaceAll("*/", "").replaceAll(/\s+/g, " ").trim()} */\n` : "");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const document = JSON.parse(readFileSync(new URL("openapi.json", api), "utf8"));
  writeFileSync(new URL("schema.gen.ts", api), generate(document));
}
