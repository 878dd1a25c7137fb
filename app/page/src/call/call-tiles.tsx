import {
  CarouselLayout,
  FocusLayoutContainer,
  GridLayout,
  isTrackReference,
  LayoutContextProvider,
  type TrackReferenceOrPlaceholder,
  useCreateLayoutContext,
  useParticipants,
  usePinnedTracks,
  useTracks,
} from '@livekit/components-react';
import { Track } from 'livekit-client';
import { CallTile } from './call-tile.tsx';

const sources = [
  { source: Track.Source.Camera, withPlaceholder: true },
  { source: Track.Source.ScreenShare, withPlaceholder: false },
];

/** Everyone in the call; what was chosen, or a shared screen, is large. */
export function CallTiles() {
  const layout = useCreateLayoutContext();
  const tracks = useTracks(sources, { onlySubscribed: false });
  const count = useParticipants().length;
  const [pinned] = usePinnedTracks(layout);
  const large = tracks.find((track) => isSame(track, pinned)) ?? tracks.find(isSharedByOthers);
  return (
    <LayoutContextProvider value={layout}>
      <p className="soft" role="status">
        In the call: {count}
      </p>
      <div className="call-tiles">
        {large ? (
          <FocusLayoutContainer>
            <CarouselLayout tracks={tracks.filter((track) => track !== large)}>
              <CallTile />
            </CarouselLayout>
            <CallTile trackRef={large} />
          </FocusLayoutContainer>
        ) : (
          <GridLayout tracks={tracks}>
            <CallTile />
          </GridLayout>
        )}
      </div>
    </LayoutContextProvider>
  );
}

/** A pin outlives its track; a track's reference is made anew with each change. */
function isSame(one: TrackReferenceOrPlaceholder, other: TrackReferenceOrPlaceholder | undefined): boolean {
  return one.participant.identity === other?.participant.identity && one.source === other.source;
}

function isSharedByOthers(track: TrackReferenceOrPlaceholder): boolean {
  return (
    track.source === Track.Source.ScreenShare &&
    !track.participant.isLocal &&
    isTrackReference(track) &&
    track.publication.isSubscribed
  );
}
