import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.parser.StrictErrorHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hl7.fhir.instance.model.api.IBaseResource;

/**
 * Reads NAME.json and NAME.xml of a folder. Leaves what HAPI makes of them: NAME.of-json and NAME.of-xml, both JSON, and
 * NAME.written, the XML that HAPI writes of the JSON; NAME.refused when it cannot read one.
 */
public class CrossCheck {
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        List<String> names;
        try (Stream<Path> files = Files.list(folder)) {
            names = files.map(path -> path.getFileName().toString()).filter(name -> name.endsWith(".xml"))
                .map(name -> name.substring(0, name.length() - 4)).collect(Collectors.toList());
        }
        FhirContext context = FhirContext.forR4();
        IParser json = context.newJsonParser();
        IParser xml = context.newXmlParser().setParserErrorHandler(new StrictErrorHandler());
        for (String name : names) {
            try {
                IBaseResource sent = json.parseResource(Files.readString(folder.resolve(name + ".json")));
                IBaseResource ours = xml.parseResource(Files.readString(folder.resolve(name + ".xml")));
                Files.writeString(folder.resolve(name + ".of-json"), json.encodeResourceToString(sent));
                Files.writeString(folder.resolve(name + ".of-xml"), json.encodeResourceToString(ours));
                Files.writeString(folder.resolve(name + ".written"), xml.encodeResourceToString(sent));
            } catch (RuntimeException refused) {
                Files.writeString(folder.resolve(name + ".refused"), refused.toString());
            }
        }
    }
}
