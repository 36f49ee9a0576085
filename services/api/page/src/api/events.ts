/** The event stream `/api/events`: it comes back by itself after any loss, and resumes after the last event it saw. */

export interface Hello {
  epoch: string;
  seq: number;
  resumed: boolean;
  versions: Record<string, string>;
}

export interface EventHandlers {
  /** The stream is open. Where `resumed` is false, the state must be loaded anew. */
  onHello(hello: Hello): void;
  /** An event of the session: its topic (`movie.done`) and its body. */
  onEvent(topic: string, body: unknown): void;
  /** The API tells whether it has its scheduler. */
  onScheduler(connected: boolean): void;
  /** The stream is lost; it is opened again by itself while `isWanted`. */
  onLost(): void;
  /** Whether a lost stream is to be opened again. */
  isWanted(): boolean;
}

/** What the page listens to; docs/wire.md tells each topic's body. */
export const TOPICS = [
  "movie.added",
  "movie.status",
  "movie.done",
  "movie.failed",
  "worker.registered",
  "worker.idle",
  "worker.busy",
  "worker.lost",
  "worker.heartbeat",
  "task.assigned",
  "task.progress",
  "task.finished",
  "task.lost",
  "processing.started",
  "processing.paused",
  "processing.ordered",
  "settings.changed",
  "export.started",
  "export.progress",
  "export.collecting",
  "export.done",
  "export.deleting",
  "export.deleted",
  "try.started",
  "try.done",
  "try.deleted",
  "learning.done",
  "learning.failed",
  "alarm.raised",
  "alarm.acknowledged",
  "alarm.cleared",
] as const;

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 3_000;

/** How long to wait before try number `tries` (from 0), in ms; doubles up to three seconds. */
export function waitBefore(tries: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS);
}

/** Follows the events as long as the page is there and wants them. */
export class EventStream {
  private lastId = "";
  private tries = 0;

  constructor(private readonly handlers: EventHandlers) {
    this.open();
  }

  /** A stream of our own making each time: a browser's own retry gives up at the first answer that is no stream. */
  private open(): void {
    const query = this.lastId ? `?lastEventId=${encodeURIComponent(this.lastId)}` : "";
    const source = new EventSource(`/api/events${query}`);
    source.onerror = () => {
      source.close();
      this.handlers.onLost();
      setTimeout(
        () => {
          if (this.handlers.isWanted()) this.open();
        },
        waitBefore(this.tries++),
      );
    };
    source.addEventListener("hello", (event) => {
      this.tries = 0;
      const hello = JSON.parse(event.data) as Hello;
      if (!hello.resumed) this.lastId = `${hello.epoch}:${hello.seq}`;
      this.handlers.onHello(hello);
    });
    source.addEventListener("connection", (event) => {
      this.handlers.onScheduler((JSON.parse(event.data) as { scheduler: boolean }).scheduler);
    });
    for (const topic of TOPICS) {
      source.addEventListener(topic, (event: MessageEvent<string>) => {
        if (event.lastEventId) this.lastId = event.lastEventId;
        this.handlers.onEvent(topic, JSON.parse(event.data));
      });
    }
  }
}
