// Sends one trace, three log records and two metrics with the Go SDK; prints what must be found.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

type object = map[string]any

// Native values, and the same as the API writes them: key to type and value.
var attributes = []attribute.KeyValue{
	attribute.String("s", "线索 \"quoted\" \n"),
	attribute.String("empty", ""),
	attribute.Bool("b", true),
	attribute.Int64("i", -9007199254740993),
	attribute.Float64("d", 1),
	attribute.StringSlice("strings", []string{"a", ""}),
	attribute.Int64Slice("ints", []int64{1, -2}),
	attribute.Float64Slice("doubles", []float64{0.5, 2}),
	attribute.BoolSlice("bools", []bool{true, false}),
	pair("bytes", attribute.ByteSliceValue([]byte{0, 255, 128})),
	pair("map", attribute.MapValue(pair("nested", attribute.MapValue(attribute.Int("n", 5))))),
	pair("mixed", attribute.SliceValue(attribute.StringValue("a"), attribute.IntValue(1), attribute.Value{})),
}

var expectedAttributes = object{
	"s":       typed("string", "线索 \"quoted\" \n"),
	"empty":   typed("string", ""),
	"b":       typed("bool", true),
	"i":       typed("int", "-9007199254740993"),
	"d":       typed("double", 1.0),
	"strings": typed("array", []any{typed("string", "a"), typed("string", "")}),
	"ints":    typed("array", []any{typed("int", "1"), typed("int", "-2")}),
	"doubles": typed("array", []any{typed("double", 0.5), typed("double", 2.0)}),
	"bools":   typed("array", []any{typed("bool", true), typed("bool", false)}),
	"bytes":   typed("bytes", "AP+A"),
	"map":     typed("map", object{"nested": typed("map", object{"n": typed("int", "5")})}),
	"mixed":   typed("array", []any{typed("string", "a"), typed("int", "1"), typed("empty", nil)}),
}

func pair(key string, value attribute.Value) attribute.KeyValue {
	return attribute.KeyValue{Key: attribute.Key(key), Value: value}
}

func typed(name string, value any) []any { return []any{name, value} }

func main() {
	// Exporters report what went wrong here.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { check(err) }))
	ctx := context.Background()
	res := resource.NewSchemaless(attribute.String("service.name", os.Getenv("OTEL_SERVICE_NAME")), attribute.Int("resource.int", 7))
	spans, root := sendTraces(ctx, res)
	records := sendLogs(trace.ContextWithSpanContext(ctx, root), res)
	sendMetrics(ctx, res)
	check(json.NewEncoder(os.Stdout).Encode(object{"resource": object{"resource.int": typed("int", "7")}, "spans": spans, "logs": records}))
}

func sendTraces(ctx context.Context, res *resource.Resource) ([]object, trace.SpanContext) {
	exporter := must(spanExporter(ctx))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	tracer := provider.Tracer("shop", trace.WithInstrumentationVersion("1.2.3"), trace.WithSchemaURL("https://example.com/schema"),
		trace.WithInstrumentationAttributes(attribute.String("scope.attribute", "x")))
	now := time.Now()
	at := func(ns int) time.Time { return now.Add(time.Duration(ns)) }

	inside, root := tracer.Start(ctx, "GET /订单", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...), trace.WithTimestamp(now))
	_, child := tracer.Start(inside, "query", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at(1001)))
	child.AddEvent("cache.miss", trace.WithAttributes(attribute.String("key", "k"), attribute.Int("size", 3)), trace.WithTimestamp(at(1500)))
	child.SetStatus(codes.Error, "no such row")
	child.End(trace.WithTimestamp(at(2002)))
	root.SetStatus(codes.Ok, "")
	root.End(trace.WithTimestamp(at(5005)))

	// A parent elsewhere, with a trace state; a link to the root.
	elsewhere := root.SpanContext().TraceID()
	elsewhere[0] ^= 0xff
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: elsewhere, SpanID: trace.SpanID{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
		TraceFlags: trace.FlagsSampled, TraceState: must(trace.ParseTraceState("vendor=a1,other=2")), Remote: true})
	link := trace.Link{SpanContext: root.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("why", "batch"), attribute.Int("n", 1)}}
	_, linked := tracer.Start(trace.ContextWithSpanContext(ctx, remote), "consume", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(link), trace.WithTimestamp(now))
	linked.End(trace.WithTimestamp(at(1)))
	check(provider.Shutdown(ctx))

	spans := []object{
		span(root, nil, "server", "GET /订单", now, 5005, "ok"),
		span(child, root.SpanContext().SpanID().String(), "client", "query", at(1001), 1001, "error"),
		span(linked, remote.SpanID().String(), "consumer", "consume", now, 1, "unset"),
	}
	spans[0]["attributes"] = expectedAttributes
	spans[1]["status_message"] = "no such row"
	spans[1]["events"] = []object{{"name": "cache.miss", "time_ns": nanos(at(1500)), "attributes": object{"key": typed("string", "k"), "size": typed("int", "3")}}}
	spans[2]["trace_state"] = "vendor=a1,other=2"
	spans[2]["links"] = []object{{"trace_id": root.SpanContext().TraceID().String(), "span_id": root.SpanContext().SpanID().String(),
		"attributes": object{"why": typed("string", "batch"), "n": typed("int", "1")}}}
	return spans, root.SpanContext()
}

func span(one trace.Span, parent any, kind, name string, start time.Time, duration int, status string) object {
	return object{"trace_id": one.SpanContext().TraceID().String(), "span_id": one.SpanContext().SpanID().String(), "parent_span_id": parent,
		"kind": kind, "name": name, "start_ns": nanos(start), "duration_ns": duration, "status": status, "status_message": "", "trace_state": "",
		"attributes": object{}, "events": []object{}, "links": []object{},
		"scope": object{"name": "shop", "version": "1.2.3", "schema_url": "https://example.com/schema", "attributes": object{"scope.attribute": typed("string", "x")}}}
}

func sendLogs(ctx context.Context, res *resource.Resource) []object {
	exporter := must(logExporter(ctx))
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)), sdklog.WithResource(res))
	logger := provider.Logger("shop", log.WithInstrumentationVersion("1.2.3"))
	now := time.Now()
	emit := func(ctx context.Context, at time.Time, severity log.Severity, text, event string, body attribute.Value, attributes ...attribute.KeyValue) {
		var record log.Record
		record.SetTimestamp(at)
		record.SetSeverity(severity)
		record.SetSeverityText(text)
		record.SetEventName(event)
		record.SetBody(body)
		record.AddAttributes(attributes...)
		logger.Emit(ctx, record)
	}
	emit(ctx, now, log.SeverityWarn, "WARN", "", attribute.StringValue("订单 17 不存在"), attributes...)
	items := attribute.SliceValue(attribute.StringValue("a"), attribute.IntValue(2), attribute.BoolValue(false), attribute.Value{})
	body := attribute.MapValue(attribute.Int("order", 17), pair("items", items), attribute.Float64("paid", 1.5))
	emit(context.Background(), now.Add(1), log.SeverityInfo, "", "order.placed", body)
	emit(context.Background(), now.Add(2), log.SeverityError, "", "", attribute.ByteSliceValue([]byte{0, 255}))
	check(provider.Shutdown(ctx))

	record := func(at time.Time, severity int, text, event string, body []any) object {
		return object{"time_ns": nanos(at), "severity_number": severity, "severity_text": text, "event_name": event, "body": body,
			"attributes": object{}, "trace_id": nil, "span_id": nil}
	}
	expectedItems := typed("array", []any{typed("string", "a"), typed("int", "2"), typed("bool", false), typed("empty", nil)})
	records := []object{
		record(now, 13, "WARN", "", typed("string", "订单 17 不存在")),
		record(now.Add(1), 9, "", "order.placed", typed("map", object{"order": typed("int", "17"), "items": expectedItems, "paid": typed("double", 1.5)})),
		record(now.Add(2), 17, "", "", typed("bytes", "AP8=")),
	}
	ids := trace.SpanContextFromContext(ctx)
	records[0]["attributes"], records[0]["trace_id"], records[0]["span_id"] = expectedAttributes, ids.TraceID().String(), ids.SpanID().String()
	return records
}

func sendMetrics(ctx context.Context, res *resource.Resource) {
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(must(metricExporter(ctx)))), sdkmetric.WithResource(res))
	meter := provider.Meter("shop")
	must(meter.Int64Counter("orders")).Add(ctx, 3, metric.WithAttributes(attribute.String("kind", "a")))
	must(meter.Float64Histogram("latency", metric.WithUnit("ms"))).Record(ctx, 12.5)
	check(provider.Shutdown(ctx))
}

// The Go SDK has no exporter for HTTP/JSON.
func grpc() bool { return os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" }

func spanExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	if grpc() {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

func logExporter(ctx context.Context) (sdklog.Exporter, error) {
	if grpc() {
		return otlploggrpc.New(ctx)
	}
	return otlploghttp.New(ctx)
}

func metricExporter(ctx context.Context) (sdkmetric.Exporter, error) {
	if grpc() {
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetrichttp.New(ctx)
}

func nanos(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "the SDK reported:", err)
		os.Exit(1)
	}
}
