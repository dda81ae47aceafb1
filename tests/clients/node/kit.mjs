// fhir-kit-client against a server. Usage: node kit.mjs BASE
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Client } from "fhir-kit-client";

const client = new Client({ baseUrl: process.argv[2] });
const family = `Kit${randomUUID().slice(0, 8)}`;
const system = "urn:oid:1.2.250.1.213.1.4.10";
const value = randomUUID();
const patient = { resourceType: "Patient", identifier: [{ system, value }], name: [{ family }], gender: "male" };
const status = async (promise) => promise.then(() => 200, (error) => error.response.status);

const statement = await client.capabilityStatement();
assert.equal(statement.fhirVersion, "4.0.1");

const created = await client.create({ resourceType: "Patient", body: patient });
assert.equal(created.meta.versionId, "1");
const twin = await client.create({ resourceType: "Patient", body: patient, options: { headers: { "If-None-Exist": `identifier=${system}|${value}` } } });
assert.equal(twin.id, created.id);
const read = await client.read({ resourceType: "Patient", id: created.id });
assert.equal(read.name[0].family, family);

const updated = await client.update({ resourceType: "Patient", id: created.id, body: { ...read, gender: "female" } });
assert.equal(updated.meta.versionId, "2");
const conditional = await client.update({ resourceType: "Patient", searchParams: { identifier: `${system}|${value}` }, body: { ...patient, active: true } });
assert.equal(conditional.id, created.id);
const patched = await client.patch({ resourceType: "Patient", id: created.id, jsonPatch: [{ op: "replace", path: "/active", value: false }] });
assert.equal(patched.active, false);
const stale = { headers: { "If-Match": 'W/"1"' } };
assert.equal(await status(client.update({ resourceType: "Patient", id: created.id, body: { ...read, active: true }, options: stale })), 412);

assert.equal((await client.vread({ resourceType: "Patient", id: created.id, version: "1" })).gender, "male");
assert.equal((await client.history({ resourceType: "Patient", id: created.id })).entry.length, 4);
assert.ok((await client.history({ resourceType: "Patient" })).entry.length >= 4);
assert.ok((await client.history({})).entry.length >= 4);

const entry = (number) => ({
  fullUrl: `urn:uuid:${randomUUID()}`,
  request: { method: "POST", url: "Observation" },
  resource: {
    resourceType: "Observation",
    status: "final",
    code: { coding: [{ system: "http://loinc.org", code: "8867-4" }] },
    subject: { reference: `Patient/${created.id}` },
    effectiveDateTime: `2026-05-03T10:${10 + number}:00Z`,
  },
});
const bundle = { resourceType: "Bundle", type: "transaction", entry: Array.from({ length: 12 }, (_, number) => entry(number)) };
const answer = await client.transaction({ body: bundle });
assert.equal(answer.type, "transaction-response");
assert.ok(answer.entry.every((one) => one.response.status.startsWith("201")));
const batch = await client.batch({
  body: { resourceType: "Bundle", type: "batch", entry: [{ request: { method: "GET", url: `Patient/${created.id}` } }, { request: { method: "GET", url: "Patient/nobody" } }] },
});
assert.deepEqual(batch.entry.map((one) => one.response.status.slice(0, 3)), ["200", "404"]);

let page = await client.search({ resourceType: "Observation", searchParams: { subject: `Patient/${created.id}`, _count: 5 } });
let found = page.entry.length;
while ((page = await client.nextPage({ bundle: page }))) found += page.entry.length;
assert.equal(found, 12);
const posted = await client.search({ resourceType: "Patient", searchParams: { family: family.toLowerCase() }, options: { postSearch: true } });
assert.equal(posted.entry.length, 1);

const everything = await client.operation({ name: "$everything", resourceType: "Patient", id: created.id, method: "GET" });
assert.ok(everything.entry.length >= 13);
const outcome = await client.operation({ name: "$validate", resourceType: "Patient", input: { resourceType: "Parameters", parameter: [{ name: "resource", resource: patient }] } });
assert.equal(outcome.resourceType, "OperationOutcome");

await client.delete({ resourceType: "Observation", id: answer.entry[0].response.location.split("/")[1] });
assert.equal(await status(client.read({ resourceType: "Observation", id: answer.entry[0].response.location.split("/")[1] })), 410);
assert.equal(await status(client.create({ resourceType: "Patient", body: { ...patient, gendre: "male" } })), 400);
console.log("held");
