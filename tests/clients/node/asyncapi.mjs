// A served AsyncAPI document against the schema of AsyncAPI 3.0. Usage: node asyncapi.mjs URL
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import Ajv from "ajv";

const schema = createRequire(import.meta.url)("@asyncapi/specs/schemas/3.0.0-without-$id.json");
const valid = new Ajv({ strict: false, validateFormats: false }).compile(schema);
const document = await (await fetch(process.argv[2])).json();
assert.equal(document.asyncapi, "3.0.0");
assert.ok(valid(document), JSON.stringify(valid.errors, null, 1));
for (const name of Object.keys(document.channels)) {
  const broken = structuredClone(document);
  broken.channels[name].address = 1;
  assert.ok(!valid(broken), `the schema takes anything of ${name}`);
}
console.log("held");
