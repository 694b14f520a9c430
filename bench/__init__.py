"""Measures the gateway beside its peers; starts each as its users do."""
