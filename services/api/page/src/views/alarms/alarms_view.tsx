/** What a person should look at now; one that was seen rests until it has been well. */
import { api } from "../../api/client";
import type { Alarm } from "../../api/types";
import { Badge, Button, Empty, Panel, TableHead } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { act } from "../../state/notices";
import { alarms, status } from "../../state/session";

function acknowledge(id: string): Promise<void> {
  return act(api.acknowledge(id), (now) => {
    alarms.value = now;
  });
}

export function AlarmsView() {
  return (
    <Panel title="Alarms">
      {alarms.value.length === 0 ? (
        <Empty>{status.value === null ? "Loading." : "All is well."}</Empty>
      ) : (
        <table class="values">
          <TableHead words={["severity", "about", "what is wrong, and what to do", "since", "seen"]} />
          <tbody>
            {alarms.value.map((alarm) => (
              <Row key={alarm.id} alarm={alarm} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Row({ alarm: { id, severity, subject, text, since, acknowledged } }: { alarm: Alarm }) {
  return (
    <tr class={acknowledged ? "seen" : undefined}>
      <td>
        <Badge word={severity} />
      </td>
      <th scope="row">{subject}</th>
      <td class="long">{text}</td>
      <td>
        <time dateTime={since}>{formatTime(since)}</time>
      </td>
      <td>
        {acknowledged ? (
          "seen"
        ) : (
          <Button
            operates
            title="Say that someone has seen it; it comes again once it has been well"
            label={`Acknowledge ${text}`}
            onClick={() => void acknowledge(id)}
          >
            Acknowledge
          </Button>
        )}
      </td>
    </tr>
  );
}
