import { useTranslation } from "react-i18next";
import { instant, readerZone, relative, shortInstant, span, useNow, zoneOffset } from "./time";

// How far an instant is, ticking; the instant itself on hover.
export function Relative({ at }: { at: string }) {
  const { t } = useTranslation();
  const now = useNow();
  return (
    <time dateTime={at} title={full(at)} className="num">
      {relative(at, now, t)}
    </time>
  );
}

// As Relative, for what lies ahead: never a word of the past, since a fire
// time stays shown until the list is read again.
export function Countdown({ at }: { at: string }) {
  const { t } = useTranslation();
  const now = useNow();
  return (
    <time dateTime={at} title={full(at)} className="num">
      {Date.parse(at) <= now ? t("time.now") : relative(at, now, t)}
    </time>
  );
}

// The instant itself, in the reader's zone if none is given; on request with its offset.
export function Instant(props: { at: string; zone?: string; short?: boolean; offset?: boolean }) {
  const { at, zone, short, offset } = props;
  return (
    <time dateTime={at} title={full(at, zone)} className="num">
      {short ? shortInstant(at, zone) : instant(at, zone)}
      {offset && ` ${zoneOffset(zone ?? readerZone, Date.parse(at)).replace(/^UTC(?=.)/, "")}`}
    </time>
  );
}

// How long since the instant, ticking.
export function Since({ at }: { at: string }) {
  const { t } = useTranslation();
  const now = useNow();
  return (
    <span className="num">{span(Math.max(0, Math.floor((now - Date.parse(at)) / 1000) * 1000), t)}</span>
  );
}

function full(at: string, zone = readerZone): string {
  return `${instant(at, zone)} ${zone} (${zoneOffset(zone, Date.parse(at))})`;
}
