// Events of one resource type, a JSON line each: node consumer.mjs BOOTSTRAP TYPE GROUP [PREFIX]
// The contract is docs/asyncapi.yaml; nothing here is Écluse's.
import { createHash } from "node:crypto";
import kafkajs from "kafkajs";
import lz4 from "lz4js";

const [bootstrap, type, group, prefix = ""] = process.argv.slice(2);
const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }) => Buffer.from(lz4.compress(buffer)),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});

// A body above 900 kB stands at the server: the value is its address, hash and size.
async function whole(value, headers) {
  if (value === null || headers["ecluse-body"] === undefined) return value;
  const { url, sha256 } = JSON.parse(value);
  const answer = await fetch(url, { headers: { accept: "application/fhir+json" } });
  if (answer.status === 404 || answer.status === 410) return null; // erased meanwhile: that event follows
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`); // the message comes again
  const body = Buffer.from(await answer.arrayBuffer());
  if (createHash("sha256").update(body).digest("hex") !== sha256) throw new Error(`${url} has another hash`);
  return body;
}

async function eachMessage({ message }) {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, text]) => [name, String(text)]));
  const body = await whole(message.value, headers);
  const told = {
    position: `${headers["ecluse-epoch"]}.${headers["ecluse-seq"]}`,
    action: headers.ce_type.replace("fhir.resource.", ""),
    id: headers.ce_id,
    patient: headers["ecluse-patient"] ?? null,
    sha256: body === null ? null : createHash("sha256").update(body).digest("hex"),
  };
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: group, allowAutoTopicCreation: false });
await consumer.connect();
await consumer.subscribe({ topics: [`${prefix}fhir.${type.toLowerCase()}.v1`], fromBeginning: true });
await consumer.run({ eachMessage });
process.on("SIGTERM", async () => {
  await consumer.disconnect();
  process.exit(0);
});
