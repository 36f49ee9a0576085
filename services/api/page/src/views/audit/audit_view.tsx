/** Who changed what when, newest first; new entries come by themselves while the view is shown. */
import { useSignal } from "@preact/signals";
import { type AuditEntry, type AuditFilter, type AuditPage, auditPage } from "../../api/audit";
import { Badge, Button, Empty, Panel, Select, TableHead, Toolbar } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { useEvery } from "../../parts/fresh";
import { act } from "../../state/notices";
import { route, setQuery } from "../../state/route";
import { AREAS, whoWords, withNewest, withOlder } from "./entries";

const EVERY_MS = 2_000;

export function AuditView() {
  const user = route.value.query.get("user") ?? "";
  const action = route.value.query.get("action") ?? "";
  return (
    <>
      <Toolbar label="Which entries">
        <input
          type="search"
          aria-label="By"
          placeholder="By …"
          value={user}
          onInput={(event) => setQuery({ user: event.currentTarget.value || null })}
        />
        <Select label="About" choices={AREAS} value={action} onChange={(area) => setQuery({ action: area || null })} />
      </Toolbar>
      <Panel title="Audit">
        <Entries key={`${action} ${user}`} wanted={{ user, action }} />
      </Panel>
    </>
  );
}

function Entries({ wanted }: { wanted: AuditFilter }) {
  const listed = useSignal<AuditPage | null>(null);
  useEvery(EVERY_MS, async () => {
    const newest = await auditPage(wanted);
    listed.value = withNewest(listed.peek(), newest);
  });
  if (listed.value === null) return <Empty>Loading.</Empty>;
  const { entries, nextBefore } = listed.value;
  if (entries.length === 0) return <Empty>Nothing has been changed, as far as this choice goes.</Empty>;
  const showOlder = (before: number) =>
    act(auditPage(wanted, before), (older) => {
      listed.value = withOlder(listed.peek(), before, older);
    });
  return (
    <>
      <table class="values">
        <TableHead words={["when", "who", "what"]} />
        <tbody>
          {entries.map((entry) => (
            <Row key={entry.id} entry={entry} />
          ))}
        </tbody>
      </table>
      {nextBefore !== null && <Button onClick={() => void showOlder(nextBefore)}>Show older entries</Button>}
    </>
  );
}

function Row({ entry }: { entry: AuditEntry }) {
  const { name, proof } = whoWords(entry);
  return (
    <tr>
      <td>
        <time dateTime={entry.at}>{formatTime(entry.at)}</time>
      </td>
      <th scope="row">
        {name} {proof && <small>{proof}</small>}
      </th>
      <td class="long" title={`${entry.action} by ${entry.via}`}>
        {entry.outcome === "refused" && (
          <>
            <Badge word="refused" /> {entry.action}:{" "}
          </>
        )}
        {entry.detail}
      </td>
    </tr>
  );
}
