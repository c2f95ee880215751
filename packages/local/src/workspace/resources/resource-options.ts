/** What a project is to hold. */
export interface ProjectOptions {
  /** The last part of its resource name; default: a new one. */
  id?: string;
  /** Default: one, `production`, that is the default and holds one endpoint, `primary`. */
  branches?: readonly BranchOptions[];
}

/** What a branch is to be and to hold. */
export interface BranchOptions {
  /** The last part of its resource name; default: a new one. */
  id?: string;
  /** Whether it is the project's default branch; default false. Nothing stops you from having two, or none. */
  default?: boolean;
  /** Default: one, `primary`, that reads and writes. */
  endpoints?: readonly EndpointOptions[];
}

/** What an endpoint is to be. */
export interface EndpointOptions {
  /** The last part of its resource name; default: a new one. */
  id?: string;
  /** Default `READ_WRITE`. */
  type?: "READ_WRITE" | "READ_ONLY";
  /** What the API says of it; default: what the compute really does. `INIT` has no hosts yet. */
  state?: "ACTIVE" | "IDLE" | "INIT" | "DEGRADED";
}

/** What a Provisioned instance is to be. */
export interface InstanceOptions {
  /** Default: a new one. */
  name?: string;
  /** What the API says of it; default `AVAILABLE`. */
  state?: "AVAILABLE" | "STARTING" | "STOPPED" | "UPDATING" | "FAILING_OVER" | "DELETING";
  /**
   * Whether it has become a project as well, so that both APIs know it: then the endpoint of its project has the host of the
   * instance. Default false.
   */
  upgraded?: boolean;
}

/** An endpoint that can be reached. */
export interface LocalEndpoint {
  /** `projects/…/branches/…/endpoints/…` */
  readonly name: string;
  /** `ep-…` */
  readonly uid: string;
  readonly host: string;
  /** For an endpoint that only reads: its one host. */
  readonly readOnlyHost: string;
}

export interface LocalBranch {
  /** `projects/…/branches/…` */
  readonly name: string;
  readonly endpoints: readonly LocalEndpoint[];
}

export interface LocalProject {
  /** `projects/…` */
  readonly name: string;
  readonly branches: readonly LocalBranch[];
}

export interface LocalInstance {
  readonly name: string;
  readonly uid: string;
  readonly host: string;
  readonly readOnlyHost: string;
  /** Of an upgraded one: the resource name of its endpoint. */
  readonly endpoint: string | undefined;
}
