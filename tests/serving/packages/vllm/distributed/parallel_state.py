"""What vLLM shares between processes."""

cleaned: list[bool] = []


def cleanup_dist_env_and_memory() -> None:
    cleaned.append(True)
