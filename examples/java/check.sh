#!/bin/sh
# Builds and runs the tests and the example of the Java binding. JNA_JAR names jna.jar, if it is not
# Debian's; JAVA_FLAGS are for java.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
jna=${JNA_JAR:-/usr/share/java/jna.jar}
{ command -v javac && command -v java; } >/dev/null || {
  echo "java: skipped: no javac (Debian: openjdk-17-jdk-headless)"
  exit 77
}
[ -e "$jna" ] || {
  echo "java: skipped: no JNA (Debian: libjna-java)"
  exit 77
}

classes="$TRB_WORK/classes"
rm -rf "$classes"
javac -Xlint:all -Werror -encoding UTF-8 --release 17 -cp "$jna" -d "$classes" \
  "$here"/trb/*.java "$here"/Example.java "$here"/test/*.java
run() {
  java -XX:TieredStopAtLevel=1 -XX:-UsePerfData -XX:ErrorFile="$TRB_WORK/hs_err.log" \
    -Djava.io.tmpdir="$TRB_WORK" -Djna.tmpdir="$TRB_WORK" \
    -Dtrb.library="$TRB_LIBDIR/libtrb.so" ${JAVA_FLAGS:-} -cp "$classes:$jna" "$@"
}
run Example
run BindingTest
