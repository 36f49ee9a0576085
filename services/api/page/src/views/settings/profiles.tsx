/** Named sets of settings: save the present one, put another into the form, forget one. */

import { useSignal } from "@preact/signals";
import { Button, Empty, Panel } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { deleteProfile, profiles, saveProfile, takeProfile } from "./draft";

export function Profiles() {
  const name = useSignal("");
  const wanted = name.value.trim();
  const save = (event: Event) => {
    event.preventDefault();
    if (wanted) void saveProfile(wanted);
    name.value = "";
  };
  const taken = profiles.value.some((profile) => profile.name === wanted);
  return (
    <Panel title="Profiles">
      {profiles.value.length === 0 && <Empty>None is saved yet.</Empty>}
      <ul class="profiles">
        {profiles.value.map((profile) => (
          <li key={profile.name}>
            <span>
              {profile.name}{" "}
              <small>
                {formatTime(profile.at)} {profile.by}
              </small>
            </span>
            <Button
              title="Put its values into the form; nothing changes before Apply"
              label={`Load ${profile.name}`}
              onClick={() => void takeProfile(profile.name)}
            >
              Load
            </Button>
            <Button
              operates
              kind="quiet"
              label={`Forget ${profile.name}`}
              onClick={() => void deleteProfile(profile.name)}
            >
              ✕
            </Button>
          </li>
        ))}
      </ul>
      <form class="save-profile" onSubmit={save}>
        <input
          aria-label="Name of a profile"
          placeholder="save the settings in force as …"
          maxLength={60}
          pattern="(?!\s*\.{1,2}\s*$)[^\/]+"
          title="any name without a slash"
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
        <Button submit operates disabled={!wanted}>
          {taken ? "Replace" : "Save"}
        </Button>
      </form>
    </Panel>
  );
}
