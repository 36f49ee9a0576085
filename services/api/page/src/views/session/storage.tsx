/** The session's directories with the room that they have, its own files, and its report. */
import { useEffect, useState } from "preact/hooks";
import { getJson } from "../../api/client";
import type { DiskRoom, SessionFile } from "../../api/types";
import { Facts, Panel } from "../../parts/controls";
import { formatBytes } from "../../parts/format";

const AGAIN_MS = 15_000;
const NAMES: Record<DiskRoom["directory"], string> = { data: "data", processing: "results" };

export function Storage() {
  const [disks, setDisks] = useState<DiskRoom[]>([]);
  const [files, setFiles] = useState<SessionFile[]>([]);
  useEffect(() => {
    const ask = () => {
      // What a lost connection means is told elsewhere; the last figures stay.
      getJson<DiskRoom[]>("/api/disk").then(setDisks, () => undefined);
      getJson<SessionFile[]>("/api/files").then(setFiles, () => undefined);
    };
    ask();
    const timer = setInterval(ask, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Panel title="Directories and files">
      <Facts facts={disks.map((disk) => [NAMES[disk.directory], `${disk.path}: ${roomWords(disk)}`])} />
      <p>
        <a href="/api/report" target="_blank" rel="noopener">
          Session report
        </a>
        {files.map(({ name, url, bytes, description }) => (
          <>
            {" · "}
            <a key={name} href={url} title={`${description}, ${formatBytes(bytes)}`} download>
              {name}
            </a>
          </>
        ))}
      </p>
    </Panel>
  );
}

/** "412 GiB free of 2.0 TiB", or that nothing is known. */
export function roomWords({ freeBytes, totalBytes }: DiskRoom): string {
  if (freeBytes === null || totalBytes === null) return "is not there, or does not answer";
  return `${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}`;
}
