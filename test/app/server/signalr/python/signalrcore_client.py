"""A client of signalrcore, as its documentation has it: it says what it gets as lines of JSON."""

import json
import os
import sys
import threading

from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.protocol.messagepack_protocol import MessagePackHubProtocol
from signalrcore.types import HttpTransportType

transport, protocol = sys.argv[1:3]
url, token, room = os.environ["URL"], os.environ["TOKEN"], os.environ["ROOM"]
printing = threading.Lock()


def say(**what):
    with printing:
        print(json.dumps(what), flush=True)


def connect(hub):
    options = {"transport": HttpTransportType[transport], "access_token_factory": lambda: token}
    builder = HubConnectionBuilder().with_url(f"{url}/{hub}", options=options)
    if protocol == "messagepack":
        builder = builder.with_hub_protocol(MessagePackHubProtocol())
    reconnect = {"type": "raw", "keep_alive_interval": 10, "reconnect_interval": 1, "max_attempts": 20}
    connection = builder.with_automatic_reconnect(reconnect).build()
    opened = threading.Event()
    connection.on_open(opened.set)
    connection.on_reconnect(lambda: say(reconnected=hub))
    for event in ("welcome", "message"):
        connection.on(event, lambda arguments, event=event: say(**{event: arguments[0]}))
    connection.on_error(lambda completion: say(error=completion.error))
    connection.start()
    if not opened.wait(60):
        raise TimeoutError(f"{hub} was not opened")
    return connection


def invoke(connection, name, *arguments):
    replied = threading.Event()
    replies = []

    def on_reply(completion):
        replies.append(completion.result)
        replied.set()

    connection.send(name, list(arguments), on_reply)
    if not replied.wait(60):
        raise TimeoutError(f"{name} was not answered")
    return replies[0]


def stream(connection, name, *arguments):
    ended = threading.Event()
    items = []
    handlers = {"next": items.append, "complete": lambda _: ended.set(), "error": lambda _: ended.set()}
    connection.stream(name, list(arguments)).subscribe(handlers)
    if not ended.wait(60):
        raise TimeoutError(f"{name} did not end")
    return items


chat = connect("chathub")
say(joined=invoke(chat, "Join", room))
say(published=invoke(chat, "Publish", room, {"text": "ä\n“1”"}, "first"))
chat.send("Join", ["forbidden"], lambda _: None)
llm = connect("llmhub")
say(answer=stream(llm, "Answer", room, "count to 20"))
say(ready=True)
# Whoever started this has it go on when its instance has left.
sys.stdin.readline()
say(rejoined=invoke(chat, "Join", room))
say(published=invoke(chat, "Publish", room, "again", "second"))
sys.stdin.readline()
os._exit(0)
