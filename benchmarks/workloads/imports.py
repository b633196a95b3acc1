"""P1: what `import` leaves behind: modules and memory (the time is taken from outside). Without a name: bare Python."""

import sys

for package in sys.argv[1:]:
    __import__(package)
MODULES = len(sys.modules)

from peak import peak_mib  # noqa: E402

MEMORY_MIB = peak_mib()

from workload import report  # noqa: E402

report({"modules": MODULES, "memory": MEMORY_MIB})
