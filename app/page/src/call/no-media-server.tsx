/** What to do where the service knows no LiveKit. */
export function NoMediaServer() {
  return (
    <div className="panel notice">
      <h3>No media server</h3>
      <p>
        Calls go through LiveKit, and this service knows none: it has no LIVEKIT_URL. The chat beside works
        without it.
      </p>
      <dl>
        <dt>On this machine</dt>
        <dd>
          Put <code>livekit-server</code> on the PATH (it is one file, from LiveKit's releases), then start
          again: <code>npm start</code> runs two nodes of it.
        </dd>
        <dt>On AWS</dt>
        <dd>
          <code>npx cdk deploy -c liveKitNodes=2</code>
        </dd>
        <dt>With a LiveKit that you have</dt>
        <dd>
          Give the service <code>LIVEKIT_URL</code>, <code>LIVEKIT_API_KEY</code> and{' '}
          <code>LIVEKIT_API_SECRET</code>.
        </dd>
      </dl>
    </div>
  );
}
