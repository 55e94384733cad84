"""Equations on tensors: DPO, the filters, DAMA's factors."""
