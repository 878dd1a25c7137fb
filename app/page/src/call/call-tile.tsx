import {
  ConnectionQualityIndicator,
  FocusToggle,
  isTrackReference,
  ParticipantContext,
  ParticipantPlaceholder,
  TrackMutedIndicator,
  TrackRefContext,
  type TrackReferenceOrPlaceholder,
  useEnsureTrackRef,
  useParticipantTile,
  VideoTrack,
} from '@livekit/components-react';
import { type Participant, Track } from 'livekit-client';
import { subjectAttribute } from '../../../protocol/calls.ts';
import { nameOf } from '../people/names.ts';

/** One camera or screen. As LiveKit's ParticipantTile, with this page's names, and a button that has a name. */
export function CallTile({ trackRef }: { readonly trackRef?: TrackReferenceOrPlaceholder }) {
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
