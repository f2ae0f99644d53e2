#!/bin/sh
# As such scripts usually are: the shell stays process 1, and SIGTERM reaches nobody.
python3 /usr/local/hello-engine/hello.py
exit $?
