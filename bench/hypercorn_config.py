"""The option of hypercorn that its command line lacks."""

wsgi_max_body_size = 64 * 1024 * 1024
