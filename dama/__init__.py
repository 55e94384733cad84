"""dama: preference alignment of multimodal LLMs, from one run file to an aligned model and a report."""

__version__ = "0.1.0"
