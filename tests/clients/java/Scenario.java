// What a hospital's Java program does with HAPI's generic client. Usage: java -cp JARS Scenario.java BASE json|xml
// Prints "held" at the end; the first thing that does not hold ends it with a stack trace.
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.PerformanceOptionsEnum;
import ca.uhn.fhir.model.primitive.IdDt;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.PreferReturnEnum;
import ca.uhn.fhir.rest.api.SummaryEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.gclient.DateClientParam;
import ca.uhn.fhir.rest.gclient.StringClientParam;
import ca.uhn.fhir.rest.gclient.TokenClientParam;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import ca.uhn.fhir.rest.server.exceptions.UnprocessableEntityException;
import java.util.UUID;
import org.hl7.fhir.r4.model.*;

public class Scenario {
  static final String SYSTEM = "urn:oid:1.2.250.1.213.1.4.10";

  static void hold(boolean truth, String what) {
    if (!truth) throw new AssertionError(what);
  }

  static Patient patient(String value, String family) {
    Patient patient = new Patient();
    patient.addIdentifier().setSystem(SYSTEM).setValue(value);
    patient.addName().setFamily(family).addGiven("Zoé");
    patient.setBirthDateElement(new DateType("1956-03-02"));
    return patient;
  }

  public static void main(String[] words) {
    FhirContext context = FhirContext.forR4();
    context.setPerformanceOptions(PerformanceOptionsEnum.DEFERRED_MODEL_SCANNING);
    context.getRestfulClientFactory().setSocketTimeout(60_000);
    IGenericClient client = context.newRestfulGenericClient(words[0]);
    client.setEncoding(words[1].equals("xml") ? EncodingEnum.XML : EncodingEnum.JSON);
    String family = "Hapi" + UUID.randomUUID().toString().substring(0, 8);
    String value = UUID.randomUUID().toString();

    CapabilityStatement statement = client.capabilities().ofType(CapabilityStatement.class).execute();
    hold(statement.getFhirVersion().toCode().equals("4.0.1"), "the version of FHIR");

    MethodOutcome created = client.create().resource(patient(value, family)).prefer(PreferReturnEnum.REPRESENTATION).execute();
    hold(created.getCreated() && created.getId().getVersionIdPart().equals("1"), "create");
    hold(created.getResource() instanceof Patient, "the resource in the answer");
    IdType id = new IdType(created.getId().toUnqualifiedVersionless().getValue());
    Patient read = client.read().resource(Patient.class).withId(id.getIdPart()).execute();
    hold(read.getNameFirstRep().getGivenAsSingleString().equals("Zoé"), "letters");

    MethodOutcome again = client.create().resource(patient(value, family)).conditional()
        .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(SYSTEM, value)).execute();
    hold(again.getId().getIdPart().equals(id.getIdPart()), "conditional create");

    read.setGender(Enumerations.AdministrativeGender.FEMALE);
    MethodOutcome updated = client.update().resource(read).execute();
    hold(updated.getId().getVersionIdPart().equals("2"), "update");
    Patient stale = read.copy();
    stale.setId(id.getValue());
    stale.addName().setText("Late");
    stale.getMeta().setVersionId("1");
    try {
      stale.setId(id.withVersion("1"));
      client.update().resource(stale).withId(id.withVersion("1")).execute();
      throw new AssertionError("If-Match of an old version");
    } catch (PreconditionFailedException | ca.uhn.fhir.rest.server.exceptions.ResourceVersionConflictException expected) {
    }
    MethodOutcome byCondition = client.update().resource(patient(value, family).setActive(true)).conditional()
        .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(SYSTEM, value)).execute();
    hold(byCondition.getId().getVersionIdPart().equals("3"), "conditional update");

    Patient first = client.read().resource(Patient.class).withIdAndVersion(id.getIdPart(), "1").execute();
    hold(first.getGender() == null, "vread");
    Bundle history = client.history().onInstance(new IdDt(id.getValue())).returnBundle(Bundle.class).execute();
    hold(history.getEntry().size() == 3, "history of an instance");
    hold(!client.history().onType(Patient.class).returnBundle(Bundle.class).count(5).execute().getEntry().isEmpty(), "history of a type");
    hold(!client.history().onServer().returnBundle(Bundle.class).count(5).execute().getEntry().isEmpty(), "history of the server");

    Parameters patch = new Parameters();
    Parameters.ParametersParameterComponent operation = patch.addParameter().setName("operation");
    operation.addPart().setName("type").setValue(new CodeType("replace"));
    operation.addPart().setName("path").setValue(new StringType("Patient.birthDate"));
    operation.addPart().setName("value").setValue(new DateType("1956-03-03"));
    client.patch().withFhirPatch(patch).withId(id).execute();
    hold(client.read().resource(Patient.class).withId(id.getIdPart()).execute().getBirthDateElement().getValueAsString().equals("1956-03-03"), "FHIRPath patch");
    client.patch().withBody("[{\"op\":\"replace\",\"path\":\"/birthDate\",\"value\":\"1956-03-04\"}]").withId(id).execute();

    Bundle transaction = new Bundle().setType(Bundle.BundleType.TRANSACTION);
    String reference = "urn:uuid:" + UUID.randomUUID();
    Encounter encounter = new Encounter();
    encounter.setStatus(Encounter.EncounterStatus.FINISHED).setClass_(new Coding().setSystem("http://terminology.hl7.org/CodeSystem/v3-ActCode").setCode("IMP"));
    encounter.setSubject(new Reference(id.getValue()));
    transaction.addEntry().setFullUrl(reference).setResource(encounter).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Encounter");
    for (int number = 0; number < 25; number++) {
      Observation observation = new Observation();
      observation.setStatus(Observation.ObservationStatus.FINAL).setCode(new CodeableConcept(new Coding("http://loinc.org", "8867-4", null)));
      observation.setSubject(new Reference(id.getValue())).setEncounter(new Reference(reference));
      observation.setEffective(new DateTimeType("2026-05-03T10:%02d:00+02:00".formatted(number)));
      observation.setValue(new Quantity().setValue(new java.math.BigDecimal("60.00")).setUnit("/min"));
      transaction.addEntry().setFullUrl("urn:uuid:" + UUID.randomUUID()).setResource(observation).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
    }
    Bundle response = client.transaction().withBundle(transaction).execute();
    hold(response.getEntry().size() == 26, "transaction");
    hold(response.getEntry().stream().allMatch(entry -> entry.getResponse().getStatus().startsWith("201")), "each entry created");
    IdType encounterId = new IdType(response.getEntryFirstRep().getResponse().getLocation());
    Observation stored = client.read().resource(Observation.class).withId(new IdType(response.getEntry().get(1).getResponse().getLocation()).getIdPart()).execute();
    hold(stored.getEncounter().getReference().equals("Encounter/" + encounterId.getIdPart()), "reference between entries");
    hold(stored.getValueQuantity().getValue().toPlainString().equals("60.00"), "digits of a number");

    Bundle page = client.search().forResource(Observation.class).where(Observation.SUBJECT.hasId(id.getIdPart()))
        .where(Observation.CODE.exactly().systemAndCode("http://loinc.org", "8867-4"))
        .and(Observation.DATE.afterOrEquals().day("2026-05-03")).count(10).returnBundle(Bundle.class).execute();
    int found = page.getEntry().size();
    while (page.getLink(Bundle.LINK_NEXT) != null) {
      page = client.loadPage().next(page).execute();
      found += page.getEntry().size();
    }
    hold(found == 25, "25 observations over pages, not " + found);
    Bundle people = client.search().forResource(Patient.class).where(new StringClientParam("family").matches().value(family.toLowerCase()))
        .where(new TokenClientParam("identifier").exactly().systemAndCode(SYSTEM, value)).where(new DateClientParam("birthdate").exactly().day("1956-03-04"))
        .usingStyle(ca.uhn.fhir.rest.api.SearchStyleEnum.POST).returnBundle(Bundle.class).execute();
    hold(people.getEntry().size() == 1, "search by POST");
    Bundle brief = client.search().forResource(Patient.class).where(new StringClientParam("family").matches().value(family)).summaryMode(SummaryEnum.TRUE).returnBundle(Bundle.class).execute();
    hold(brief.getEntryFirstRep().getResource().getMeta().getTag().stream().anyMatch(tag -> tag.getCode().equals("SUBSETTED")), "summary");

    Bundle everything = client.operation().onInstance(id).named("$everything").withNoParameters(Parameters.class).useHttpGet().returnResourceType(Bundle.class).execute();
    hold(everything.getEntry().size() >= 27, "$everything");
    MethodOutcome validated = client.validate().resource(patient(value, family)).execute();
    hold(validated.getOperationOutcome() != null, "$validate");
    Meta meta = client.meta().add().onResource(id).meta(new Meta().addTag("urn:t", "marked", null)).execute();
    hold(meta.getTag("urn:t", "marked") != null, "$meta-add");
    try {
      client.create().resource("{\"resourceType\":\"Patient\",\"gendre\":\"female\"}").execute();
      throw new AssertionError("an unknown element");
    } catch (InvalidRequestException | UnprocessableEntityException expected) {
      OperationOutcome outcome = (OperationOutcome) expected.getOperationOutcome();
      hold(outcome.getIssueFirstRep().getExpression().get(0).getValue().equals("Patient.gendre"), "the place of an error");
    }

    client.delete().resourceById(encounterId.toUnqualifiedVersionless()).execute();
    try {
      client.read().resource(Encounter.class).withId(encounterId.getIdPart()).execute();
      throw new AssertionError("a deleted resource");
    } catch (ResourceGoneException expected) {
    }
    try {
      client.read().resource(Patient.class).withId("nobody").execute();
      throw new AssertionError("a resource that never was");
    } catch (ResourceNotFoundException expected) {
    }
    client.delete().resourceConditionalByType(Observation.class).where(Observation.IDENTIFIER.exactly().systemAndCode("urn:none", value)).execute();
    System.out.println("held");
  }
}
