#!/usr/bin/env bash
# Runs one real Kafka broker (KRaft) from its Maven jars in the foreground, on 127.0.0.1 only; Ctrl-C ends it, its data stays.
# Needs Java 17 and Maven. Usage: start.sh DIR [PORT [CONTROLLER_PORT [NODE VOTERS]]]
# NODE and VOTERS make it one of three: VOTERS names the controllers of all, 1@127.0.0.1:9093,2@…
# KAFKA_JAVA: options of Java, in place of those for a quick start.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jars=$here/../../.cache/kafka/lib
folder=$(mkdir -p "$1" && cd "$1" && pwd)
port=${2:-9092}
controller=${3:-$((port + 1))}
node=${4:-1}
voters=${5:-}

if [ ! -d "$jars" ]; then
  mkdir -p "$(dirname "$jars")"
  new=$(mktemp -d "$(dirname "$jars")/fetching-XXXXXX")
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$new/lib" -DincludeScope=runtime
  mv -T "$new/lib" "$jars" 2>/dev/null || true # another start was quicker
  rm -rf "$new"
fi

if [ -n "$voters" ]; then
  quorum="controller.quorum.voters=$voters" standalone=() replicas=3 insync=2
else
  quorum="controller.quorum.bootstrap.servers=127.0.0.1:$controller" standalone=(--standalone) replicas=1 insync=1
fi

cat > "$folder/server.properties" <<P
process.roles=broker,controller
node.id=$node
$quorum
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$folder/data
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
P
if [ -f "$folder/more.properties" ]; then # what is said twice holds as it is said last
  cat "$folder/more.properties" >> "$folder/server.properties"
fi

read -ra options <<< "${KAFKA_JAVA:--Xmx512m -XX:TieredStopAtLevel=1}"
java=(java "${options[@]}" -cp "$jars/*")
if [ ! -f "$folder/data/meta.properties" ]; then
  "${java[@]}" kafka.tools.StorageTool format "${standalone[@]}" -t MkU3OEVBNTcwNTJENDM2Qk -c "$folder/server.properties"
fi
exec "${java[@]}" kafka.Kafka "$folder/server.properties"
