"""Joins each call that asks for it, and says by a data message what it was told by one."""

import asyncio

from livekit import agents, rtc

# A worker takes no call where the processor is busy, and the machine of a test may be busy with other things.
server = agents.AgentServer(load_fnc=lambda: 0.0, num_idle_processes=1, initialize_process_timeout=60)


@server.rtc_session()
async def answer(call: agents.JobContext) -> None:
    answers: set[asyncio.Task[None]] = set()

    def on_data(packet: rtc.DataPacket) -> None:
        said = b"Python heard " + packet.data
        task = asyncio.create_task(call.room.local_participant.publish_data(said, reliable=True))
        answers.add(task)
        task.add_done_callback(answers.discard)

    def on_left(_: rtc.RemoteParticipant) -> None:
        if not call.room.remote_participants:
            call.shutdown("the caller has left")

    call.room.on("data_received", on_data)
    call.room.on("participant_disconnected", on_left)
    await call.connect()


if __name__ == "__main__":
    agents.cli.run_app(server)
