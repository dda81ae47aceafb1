// fhirclient (SMART's client, here without authorisation) against a server. Usage: node smart.mjs BASE
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import fhirclient from "fhirclient";

// The library is made for a web server; nothing of this request is used without authorisation.
const request = Object.assign(new EventEmitter(), { headers: { host: "127.0.0.1" }, url: "/", socket: {} });
const client = fhirclient(request, {}, { get() {}, set() {}, unset() {} }).client({ serverUrl: process.argv[2] });
const family = `Smart${randomUUID().slice(0, 8)}`;

const patient = await client.create({ resourceType: "Patient", name: [{ family }], birthDate: "1956-03-02" });
assert.ok(patient.id);
assert.equal((await client.request(`Patient/${patient.id}`)).name[0].family, family);
const updated = await client.update({ ...patient, gender: "female" });
assert.equal(updated.meta.versionId, "2");
const patched = await client.patch(`Patient/${patient.id}`, [{ op: "add", path: "/active", value: true }]);
assert.equal(patched.active, true);

for (let number = 0; number < 7; number++) {
  await client.create({
    resourceType: "Observation",
    status: "final",
    code: { coding: [{ system: "http://loinc.org", code: "8480-6" }] },
    subject: { reference: `Patient/${patient.id}` },
    effectiveDateTime: `2026-05-0${number + 1}`,
    valueQuantity: { value: 120 + number, unit: "mmHg" },
  });
}
const all = await client.request(`Observation?subject=Patient/${patient.id}&_count=3`, { pageLimit: 0, flat: true });
assert.equal(all.length, 7);
const resolved = await client.request(`Observation?subject=Patient/${patient.id}&_count=2`, { resolveReferences: "subject", graph: true });
assert.equal(resolved.entry[0].resource.subject.name[0].family, family);
const by = client.byCodes(all, "code");
assert.equal(by("8480-6").length, 7);
await client.delete(`Observation/${all[0].id}`);
await assert.rejects(client.request(`Observation/${all[0].id}`), /410|[Gg]one/);
await assert.rejects(client.request("Patient/nobody"), /404|[Nn]ot [Ff]ound/);
console.log("held");
