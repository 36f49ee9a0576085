/** Who is signed in, signing out, and the viewer links that an operator gives away. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Link, linksApi, signOut } from "./api/sign_in";
import { Button, Empty, TableHead } from "./parts/controls";
import { Dialog } from "./parts/dialog";
import { formatTime } from "./parts/format";
import { Menu } from "./parts/menu";
import { signedIn } from "./state/access";
import { act, notify, whereItAnswers } from "./state/notices";

const FIRST_DAYS = 7;

export function Account() {
  const sharing = useSignal(false);
  const who = signedIn.value;
  if (who === null || who.isOpen) return null;
  return (
    <span class="account">
      <Menu
        label={`Account ${who.user}`}
        items={[
          {
            text: "Share…",
            operates: true,
            run: () => {
              sharing.value = true;
            },
          },
          { text: "Sign out", run: () => void act(signOut(), () => undefined) },
        ]}
      >
        <span class="account-name">{who.user}</span>
      </Menu>
      {sharing.value && (
        <ShareDialog
          onClose={() => {
            sharing.value = false;
          }}
        />
      )}
    </span>
  );
}

function ShareDialog({ onClose }: { onClose: () => void }) {
  const links = useSignal<readonly Link[]>([]);
  const made = useSignal("");
  const load = () =>
    whereItAnswers(async () => {
      links.value = await linksApi.all();
    });
  useEffect(() => void load(), []);
  return (
    <Dialog title="Viewer links" onClose={onClose}>
      <p>Whoever opens such a link sees this session until it ends, and changes nothing.</p>
      <NewLink
        onMade={(link) => {
          made.value = link;
          void load();
        }}
      />
      {made.value && <MadeLink link={made.value} />}
      {links.value.length === 0 ? (
        <Empty>No viewer link holds.</Empty>
      ) : (
        <table class="values">
          <TableHead words={["name", "ends", ""]} numbers={["signed in", "left"]} />
          <tbody>
            {links.value.map(({ name, expiresAt, signedIn, browsersLeft }) => (
              <tr key={name}>
                <td>{name}</td>
                <td>{formatTime(expiresAt)}</td>
                <td>
                  <Button
                    kind="danger"
                    label={`Revoke ${name}`}
                    onClick={() => void act(linksApi.revoke(name), () => load())}
                  >
                    Revoke
                  </Button>
                </td>
                <td class="number">{signedIn}</td>
                <td class="number">{browsersLeft}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Dialog>
  );
}

function MadeLink({ link }: { link: string }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <div class="row made-link">
      <label class="field">
        <span>link, shown this once</span>
        <input ref={field} readOnly value={link} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <Button onClick={() => void act(copied(field.current!), () => notify("The link is copied."))}>Copy</Button>
    </div>
  );
}

/** Copy what a field holds. By plain http from another host a browser gives no clipboard: then as by Ctrl+C. */
async function copied(field: HTMLInputElement): Promise<void> {
  field.select();
  if (navigator.clipboard) await navigator.clipboard.writeText(field.value);
  else if (!document.execCommand("copy")) throw new Error("This browser lets no page copy: press Ctrl+C.");
}

function NewLink({ onMade }: { onMade: (link: string) => void }) {
  const name = useSignal("");
  const days = useSignal(FIRST_DAYS);
  const browsers = useSignal(1);
  const submit = (event: Event) => {
    event.preventDefault();
    void act(linksApi.make(name.peek().trim(), days.peek(), browsers.peek()), ({ fragment }) =>
      onMade(`${location.origin}${location.pathname}${fragment}`),
    );
  };
  return (
    <form class="row" aria-label="New link" onSubmit={submit}>
      <label class="field">
        <span>for</span>
        <input
          value={name.value}
          maxLength={64}
          placeholder="lab-b"
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
      </label>
      <NumberField label="days" most={366} value={days} />
      <NumberField label="browsers" most={100} value={browsers} />
      <Button submit operates kind="primary" disabled={name.value.trim() === ""}>
        Make a link
      </Button>
    </form>
  );
}

function NumberField({ label, most, value }: { label: string; most: number; value: { value: number } }) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        min={1}
        max={most}
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.valueAsNumber || 1;
        }}
      />
    </label>
  );
}
