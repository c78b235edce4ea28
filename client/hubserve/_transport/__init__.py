"""Send requests over gRPC, from threads and from asyncio: channels, security, retries and telemetry."""
