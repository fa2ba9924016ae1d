"""What all Python tests share: a Clew to test, HTTP, OTLP requests, the count of what passed."""
