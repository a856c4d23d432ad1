"""What tests share beside the fixtures of conftest.py; pytest finds it by `pythonpath`."""
