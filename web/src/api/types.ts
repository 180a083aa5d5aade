import type { components } from "./schema";

type Schemas = components["schemas"];

export type User = Schemas["User"];
export type System = Schemas["SystemOutputBody"];
export type Job = Schemas["Job"];
export type JobInput = Schemas["JobInput"];
export type JobState = Job["state"];
export type Run = Schemas["Run"];
export type RunState = Run["state"];
export type Trigger = Schemas["Trigger"];
export type Preview = Schemas["PreviewOutputBody"];
