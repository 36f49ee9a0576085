/** What stands in place of all views where nobody is signed in. */
import { useSignal } from "@preact/signals";
import { signIn } from "./api/sign_in";
import { Button } from "./parts/controls";
import { signedOut } from "./state/access";
import { act } from "./state/notices";

export function SignIn() {
  const token = useSignal("");
  const submit = (event: Event) => {
    event.preventDefault();
    // All that is shown was asked for in nobody's name, so it is asked for anew.
    void act(signIn(token.peek().trim()), () => location.reload());
  };
  return (
    <main id="main" class="sign-in" tabIndex={-1}>
      <h1>warpcore</h1>
      <p role="status">{signedOut.value}</p>
      <form aria-label="Sign in" onSubmit={submit}>
        <label class="field">
          <span>token</span>
          <input
            type="password"
            name="token"
            autocomplete="off"
            spellcheck={false}
            value={token.value}
            onInput={(event) => {
              token.value = event.currentTarget.value;
            }}
          />
        </label>
        <Button submit kind="primary" disabled={token.value.trim() === ""}>
          Sign in
        </Button>
      </form>
      <p class="hint">
        Whoever runs the session gets a link by <code>warpcore tokens sign-in</code>, and makes tokens for others by{" "}
        <code>warpcore tokens add</code>, or links by which they can look on by <code>warpcore tokens link</code>.
      </p>
    </main>
  );
}
