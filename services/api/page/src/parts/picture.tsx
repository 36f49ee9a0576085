/** A picture of a movie as the API renders it, in a box of fixed shape so that nothing moves when it arrives. */
import { useEffect, useState } from "preact/hooks";
import { address, itemPath, type Query } from "../api/client";
import { onEvent } from "../state/sync";

export interface PictureProps {
  name: string;
  kind: "thumbnail" | "average" | "spectrum" | "motion" | "picks" | "junk";
  /** What the picture shows, for screen readers. */
  alt: string;
  /** Generation of the results; with it the browser keeps the picture. */
  generation?: number | undefined;
  query?: Query;
}

/** The address of a movie's picture. */
export function pictureUrl(name: string, kind: PictureProps["kind"], generation?: number, query: Query = {}): string {
  return address(itemPath(name, `picture/${kind}`), { ...query, generation });
}

export function Picture({ name, kind, alt, generation, query }: PictureProps) {
  return <PictureBox url={pictureUrl(name, kind, generation, query)} alt={alt} missing={`No ${kind} yet`} />;
}

/** The picture at an address, or `missing` where there is none; asked for again when a lost connection is back. */
export function PictureBox({ url, alt, missing }: { url: string; alt: string; missing: string }) {
  const [failed, setFailed] = useState("");
  useEffect(() => {
    if (failed === "") return undefined;
    return onEvent((topic) => {
      if (topic === "hello") setFailed("");
    });
  }, [failed]);
  return (
    <div class="picture">
      {failed === url ? (
        <span class="empty">{missing}</span>
      ) : (
        <img src={url} alt={alt} loading="lazy" decoding="async" onError={() => setFailed(url)} />
      )}
    </div>
  );
}
