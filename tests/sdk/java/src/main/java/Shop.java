// A small HTTP service that knows nothing of telemetry: the Java agent instruments it from outside.
// Serves GET /hello, which calls GET /stock of its own and logs a line; then it is called once and ends.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.logging.Logger;

public final class Shop {
  private static final Logger LOGGER = Logger.getLogger("shop");
  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    String base = "http://127.0.0.1:" + server.getAddress().getPort();
    server.createContext("/hello", exchange -> answer(exchange, 200, "hello, " + get(base + "/stock").body()));
    server.createContext("/stock", exchange -> answer(exchange, 200, "17"));
    server.createContext("/broken", exchange -> answer(exchange, 500, "no"));
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.start();
    System.out.println(get(base + "/hello").body());
    System.out.println(get(base + "/broken").statusCode());
    server.stop(0);
    System.exit(0);
  }

  private static void answer(HttpExchange exchange, int status, String text) throws IOException {
    LOGGER.info("订单 " + exchange.getRequestURI());
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private static HttpResponse<String> get(String url) throws IOException {
    try {
      return CLIENT.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException error) {
      throw new IOException(error);
    }
  }
}
