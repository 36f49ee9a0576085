/** A movie's files on disk, to download. */
import type { MovieFile } from "../../api/documents";
import { Empty, Panel } from "../../parts/controls";
import { formatBytes } from "../../parts/format";

export function FilesPanel({ files }: { files: readonly MovieFile[] }) {
  return (
    <Panel title="Files">
      {files.length === 0 ? (
        <Empty>No output is on disk yet.</Empty>
      ) : (
        <table class="values files">
          <tbody>
            {files.map(({ path, url, bytes, description }) => (
              <tr key={path}>
                <th scope="row">
                  <a href={url} download={path.split("/").at(-1)}>
                    {path}
                  </a>
                  <small>{description.replaceAll("`", "")}</small>
                </th>
                <td class="number">{formatBytes(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
