// Sends one trace, three log records and two metrics with the Java SDK; prints what must be found.

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.KeyValue;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.common.CompletableResultCode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;

public final class Emit {
  private static final List<String> FAILURES = new ArrayList<>();

  // Native values, and the same as the API writes them.
  private static final Attributes ATTRIBUTES = Attributes.builder()
      .put("s", "线索 \"quoted\" \n")
      .put("empty", "")
      .put("b", true)
      .put("i", -9007199254740993L)
      .put("d", 1.0)
      .put("strings", "a", "")
      .put("ints", 1L, -2L)
      .put("doubles", 0.5, 2.0)
      .put("bools", true, false)
      .put(AttributeKey.valueKey("bytes"), Value.of(new byte[] {0, -1, -128}))
      .put(AttributeKey.valueKey("map"), Value.of(KeyValue.of("nested", Value.of(KeyValue.of("n", Value.of(5))))))
      .build();
  private static final String EXPECTED = """
      {"s":["string","线索 \\"quoted\\" \\n"],"empty":["string",""],"b":["bool",true],"i":["int","-9007199254740993"],
       "d":["double",1.0],"strings":["array",[["string","a"],["string",""]]],"ints":["array",[["int","1"],["int","-2"]]],
       "doubles":["array",[["double",0.5],["double",2.0]]],"bools":["array",[["bool",true],["bool",false]]],
       "bytes":["bytes","AP+A"],"map":["map",{"nested":["map",{"n":["int","5"]}]}]}""";

  public static void main(String[] arguments) {
    listenForFailures();
    // Exporters and resource come from OTEL_ variables, as in a user's program.
    OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
    List<String> spans = new ArrayList<>();
    SpanContext root = sendTraces(sdk, spans);
    List<String> records = sendLogs(sdk, root);
    sdk.getMeter("shop").counterBuilder("orders").build().add(3);
    sdk.getMeter("shop").histogramBuilder("latency").setUnit("ms").build().record(12.5);
    flushed(sdk.getSdkTracerProvider().forceFlush());
    flushed(sdk.getSdkLoggerProvider().forceFlush());
    flushed(sdk.getSdkMeterProvider().forceFlush());
    sdk.close();
    if (!FAILURES.isEmpty()) {
      System.err.println("the SDK reported: " + FAILURES);
      System.exit(1);
    }
    // Resource attributes given by a variable are strings.
    System.out.println("{\"resource\":{\"resource.text\":[\"string\",\"7\"],\"telemetry.sdk.language\":[\"string\",\"java\"]},"
        + "\"spans\":[" + String.join(",", spans) + "],\"logs\":[" + String.join(",", records) + "]}");
  }

  private static SpanContext sendTraces(OpenTelemetrySdk sdk, List<String> expected) {
    Tracer tracer = sdk.tracerBuilder("shop").setInstrumentationVersion("1.2.3").setSchemaUrl("https://example.com/schema").build();
    long now = System.currentTimeMillis() * 1_000_000 + 123_456;
    Span root = tracer.spanBuilder("GET /订单").setNoParent().setSpanKind(SpanKind.SERVER).setAllAttributes(ATTRIBUTES)
        .setStartTimestamp(now, TimeUnit.NANOSECONDS).startSpan();
    Span child = tracer.spanBuilder("query").setParent(Context.root().with(root)).setSpanKind(SpanKind.CLIENT)
        .setStartTimestamp(now + 1001, TimeUnit.NANOSECONDS).startSpan();
    child.addEvent("cache.miss", Attributes.builder().put("key", "k").put("size", 3).build(), now + 1500, TimeUnit.NANOSECONDS);
    child.setStatus(StatusCode.ERROR, "no such row");
    child.end(now + 2002, TimeUnit.NANOSECONDS);
    root.setStatus(StatusCode.OK);
    root.end(now + 5005, TimeUnit.NANOSECONDS);

    // A parent elsewhere, with a trace state; a link to the root.
    SpanContext ids = root.getSpanContext();
    TraceState state = TraceState.builder().put("other", "2").put("vendor", "a1").build();
    String elsewhere = (ids.getTraceId().startsWith("1") ? "2" : "1") + ids.getTraceId().substring(1);
    SpanContext remote = SpanContext.createFromRemoteParent(elsewhere, "b7ad6b7169203331", TraceFlags.getSampled(), state);
    Span linked = tracer.spanBuilder("consume").setParent(Context.root().with(Span.wrap(remote))).setSpanKind(SpanKind.CONSUMER)
        .addLink(ids, Attributes.builder().put("why", "batch").put("n", 1).build())
        .setStartTimestamp(now, TimeUnit.NANOSECONDS).startSpan();
    linked.end(now + 1, TimeUnit.NANOSECONDS);

    expected.add(span(root, null, "server", "GET /订单", now, 5005, "ok", "", EXPECTED, "[]", "[]", ""));
    expected.add(span(child, ids.getSpanId(), "client", "query", now + 1001, 1001, "error", "no such row", "{}",
        "[{\"name\":\"cache.miss\",\"time_ns\":" + (now + 1500) + ",\"attributes\":{\"key\":[\"string\",\"k\"],\"size\":[\"int\",\"3\"]}}]", "[]", ""));
    String link = "[{\"trace_id\":\"" + ids.getTraceId() + "\",\"span_id\":\"" + ids.getSpanId()
        + "\",\"attributes\":{\"why\":[\"string\",\"batch\"],\"n\":[\"int\",\"1\"]}}]";
    expected.add(span(linked, remote.getSpanId(), "consumer", "consume", now, 1, "unset", "", "{}", "[]", link, "vendor=a1,other=2"));
    return ids;
  }

  private static String span(Span span, String parent, String kind, String name, long start, long duration, String status,
      String message, String attributes, String events, String links, String traceState) {
    SpanContext ids = span.getSpanContext();
    return """
        {"trace_id":"%s","span_id":"%s","parent_span_id":%s,"kind":"%s","name":"%s","start_ns":%d,"duration_ns":%d,
         "status":"%s","status_message":"%s","attributes":%s,"events":%s,"links":%s,"trace_state":"%s",
         "scope":{"name":"shop","version":"1.2.3","schema_url":"https://example.com/schema","attributes":{}}}"""
        .formatted(ids.getTraceId(), ids.getSpanId(), quoted(parent), kind, name, start, duration, status, message, attributes, events, links, traceState);
  }

  private static List<String> sendLogs(OpenTelemetrySdk sdk, SpanContext root) {
    Logger logger = sdk.getSdkLoggerProvider().loggerBuilder("shop").setInstrumentationVersion("1.2.3").build();
    long now = System.currentTimeMillis() * 1_000_000 + 7;
    Context inside = Context.root().with(Span.wrap(root));
    logger.logRecordBuilder().setTimestamp(now, TimeUnit.NANOSECONDS).setContext(inside).setSeverity(Severity.WARN).setSeverityText("WARN")
        .setBody("订单 17 不存在").setAllAttributes(ATTRIBUTES).emit();
    Value<?> items = Value.of(Value.of("a"), Value.of(2), Value.of(false), Value.empty());
    Value<?> body = Value.of(KeyValue.of("order", Value.of(17)), KeyValue.of("items", items), KeyValue.of("paid", Value.of(1.5)));
    logger.logRecordBuilder().setTimestamp(now + 1, TimeUnit.NANOSECONDS).setContext(Context.root()).setSeverity(Severity.INFO)
        .setEventName("order.placed").setBody(body).emit();
    logger.logRecordBuilder().setTimestamp(now + 2, TimeUnit.NANOSECONDS).setContext(Context.root()).setSeverity(Severity.ERROR)
        .setBody(Value.of(new byte[] {0, -1})).emit();
    String expectedBody = """
        ["map",{"order":["int","17"],"items":["array",[["string","a"],["int","2"],["bool",false],["empty",null]]],"paid":["double",1.5]}]""";
    return Arrays.asList(
        record(now, 13, "WARN", "[\"string\",\"订单 17 不存在\"]", EXPECTED, "", root.getTraceId(), root.getSpanId()),
        record(now + 1, 9, "", expectedBody, "{}", "order.placed", null, null),
        record(now + 2, 17, "", "[\"bytes\",\"AP8=\"]", "{}", "", null, null));
  }

  private static String record(long time, int severity, String text, String body, String attributes, String event, String trace, String span) {
    return """
        {"time_ns":%d,"severity_number":%d,"severity_text":"%s","body":%s,"attributes":%s,"event_name":"%s","trace_id":%s,"span_id":%s}"""
        .formatted(time, severity, text, body, attributes, event, quoted(trace), quoted(span));
  }

  private static String quoted(String text) {
    return text == null ? "null" : '"' + text + '"';
  }

  private static void flushed(CompletableResultCode result) {
    if (!result.join(10, TimeUnit.SECONDS).isSuccess()) {
      FAILURES.add("an export failed");
    }
  }

  /** Exporters report what went wrong by logging it. */
  private static void listenForFailures() {
    java.util.logging.Logger.getLogger("io.opentelemetry").addHandler(new Handler() {
      @Override
      public void publish(LogRecord record) {
        if (record.getLevel().intValue() >= Level.WARNING.intValue()) {
          FAILURES.add(record.getMessage());
        }
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    });
  }
}
