"""The experiments behind the stored results; `recsys_lib.results` runs them."""
