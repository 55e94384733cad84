"""Where vLLM keeps what its processes share."""
