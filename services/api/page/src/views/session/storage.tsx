/** The session's directories with the room that they have, its own files, and its report. */
import { Fragment } from "preact";
import { useState } from "preact/hooks";
import { getJson } from "../../api/client";
import type { DiskRoom, SessionFile } from "../../api/types";
import { Facts, Panel } from "../../parts/controls";
import { formatBytes } from "../../parts/format";
import { useEvery } from "../../parts/fresh";

const AGAIN_MS = 15_000;
const NAMES: Record<DiskRoom["directory"], string> = { data: "data", processing: "results" };

export function Storage() {
  const [disks, setDisks] = useState<DiskRoom[]>([]);
  const [files, setFiles] = useState<SessionFile[]>([]);
  useEvery(AGAIN_MS, async () => setDisks(await getJson("/api/disk")));
  useEvery(AGAIN_MS, async () => setFiles(await getJson("/api/files")));
  return (
    <Panel title="Directories and files">
      <Facts facts={disks.map((disk) => [NAMES[disk.directory], `${disk.path}: ${roomWords(disk)}`])} />
      <p>
        <a href="/api/report" target="_blank" rel="noopener">
          Session report
        </a>
        {files.map(({ name, url, bytes, description }) => (
          <Fragment key={name}>
            {" · "}
            <a href={url} title={`${description}, ${formatBytes(bytes)}`} download>
              {name}
            </a>
          </Fragment>
        ))}
      </p>
    </Panel>
  );
}

/** "412 GB free of 2.0 TB", or that nothing is known. */
export function roomWords({ freeBytes, totalBytes }: DiskRoom): string {
  if (freeBytes === null || totalBytes === null) return "is not there, or does not answer";
  return `${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}`;
}
