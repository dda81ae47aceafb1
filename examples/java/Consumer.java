// Events of one resource type, a JSON line each: java -cp 'jars/*' Consumer.java BOOTSTRAP TYPE GROUP [PREFIX]
// The contract is docs/asyncapi.yaml; nothing here is Écluse's.
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Consumer {
  static final ObjectMapper JSON = new ObjectMapper();
  static final HttpClient HTTP = HttpClient.newHttpClient();

  public static void main(String[] words) throws Exception {
    var settings = new Properties();
    settings.putAll(
        Map.of(
            "bootstrap.servers", words[0],
            "group.id", words[2],
            "auto.offset.reset", "earliest",
            "isolation.level", "read_committed",
            "enable.auto.commit", "false",
            "metadata.max.age.ms", "5000"));
    var bytes = new ByteArrayDeserializer();
    var prefix = words.length > 3 ? words[3] : "";
    try (var consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      consumer.subscribe(List.of(prefix + "fhir." + words[1].toLowerCase() + ".v1"));
      while (true) {
        for (var each : consumer.poll(Duration.ofMillis(200))) {
          System.out.println(JSON.writeValueAsString(told(each)));
        }
        consumer.commitSync(); // what was printed; what was not comes again
      }
    }
  }

  static Map<String, Object> told(ConsumerRecord<byte[], byte[]> each) throws Exception {
    var body = whole(each);
    var told = new LinkedHashMap<String, Object>();
    told.put("position", header(each, "ecluse-epoch") + "." + header(each, "ecluse-seq"));
    told.put("action", header(each, "ce_type").replace("fhir.resource.", ""));
    told.put("id", header(each, "ce_id"));
    told.put("patient", header(each, "ecluse-patient"));
    told.put("sha256", body == null ? null : sha256(body));
    return told;
  }

  /** A body above 900 kB stands at the server: the value is its address, hash and size. */
  static byte[] whole(ConsumerRecord<byte[], byte[]> each) throws Exception {
    if (each.value() == null || header(each, "ecluse-body") == null) return each.value();
    var reference = JSON.readTree(each.value());
    var url = reference.get("url").asText();
    var asked = HttpRequest.newBuilder(URI.create(url)).header("Accept", "application/fhir+json").build();
    var answer = HTTP.send(asked, HttpResponse.BodyHandlers.ofByteArray());
    if (answer.statusCode() == 404 || answer.statusCode() == 410) return null; // erased meanwhile: that event follows
    if (answer.statusCode() != 200) throw new IllegalStateException(url + " answers " + answer.statusCode());
    if (!sha256(answer.body()).equals(reference.get("sha256").asText())) {
      throw new IllegalStateException(url + " has another hash");
    }
    return answer.body();
  }

  static String header(ConsumerRecord<byte[], byte[]> each, String name) {
    var found = each.headers().lastHeader(name);
    return found == null ? null : new String(found.value(), StandardCharsets.UTF_8);
  }

  static String sha256(byte[] content) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
  }
}
