import {
  CarouselLayout,
  ConnectionQualityIndicator,
  FocusLayoutContainer,
  FocusToggle,
  GridLayout,
  isTrackReference,
  LayoutContextProvider,
  ParticipantContext,
  ParticipantPlaceholder,
  TrackMutedIndicator,
  TrackRefContext,
  type TrackReferenceOrPlaceholder,
  useCreateLayoutContext,
  useEnsureTrackRef,
  useParticipants,
  useParticipantTile,
  usePinnedTracks,
  useTracks,
  VideoTrack,
} from '@livekit/components-react';
import { type Participant, Track } from 'livekit-client';
import { subjectAttribute } from '../../../protocol/calls.ts';
import { nameOf } from '../people/person.tsx';

const sources = [
  { source: Track.Source.Camera, withPlaceholder: true },
  { source: Track.Source.ScreenShare, withPlaceholder: false },
];

/** All participants of the call. A tile that the user chose, or a shared screen, is large. */
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

/** A pin may outlive its track, and a track's reference is a new object after each change. */
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

/** One camera or screen. Like LiveKit's ParticipantTile, but with this page's names, and a button that has a name. */
function CallTile({ trackRef }: { readonly trackRef?: TrackReferenceOrPlaceholder }) {
  const track = useEnsureTrackRef(trackRef);
  const { participant, source } = track;
  const { elementProps } = useParticipantTile<HTMLElement>({ trackRef: track, htmlProps: {} });
  const isScreen = source === Track.Source.ScreenShare;
  const title = isScreen ? `Screen of ${whoIs(participant)}` : whoIs(participant);
  return (
    <figure {...elementProps} aria-label={title}>
      <TrackRefContext.Provider value={track}>
        <ParticipantContext.Provider value={participant}>
          {isTrackReference(track) && <VideoTrack trackRef={track} aria-label={title} />}
          <div className="lk-participant-placeholder" aria-hidden="true">
            <ParticipantPlaceholder />
          </div>
          <div className="lk-participant-metadata">
            <div className="lk-participant-metadata-item">
              {!isScreen && (
                <TrackMutedIndicator
                  trackRef={{ participant, source: Track.Source.Microphone }}
                  show="muted"
                  role="img"
                  aria-label="muted"
                />
              )}
              {title}
            </div>
            <ConnectionQualityIndicator className="lk-participant-metadata-item" aria-hidden="true" />
          </div>
          <FocusToggle trackRef={track} aria-label={`Make ${title} large or small`} />
        </ParticipantContext.Provider>
      </TrackRefContext.Provider>
    </figure>
  );
}

function whoIs(participant: Participant): string {
  const { name, identity, attributes, isAgent, isLocal } = participant;
  if (isAgent) return name || 'Voice agent';
  const who = name || nameOf(attributes[subjectAttribute] ?? identity);
  return isLocal ? `${who} (you)` : who;
}
